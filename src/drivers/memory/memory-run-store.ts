import type { WorkflowBlueprint } from 'flowcraft';
import { charactersIn, givenBy, newest } from '../../core/given-values.js';
import { stableJson } from '../../core/plan.js';
import { decodeRunCursor, encodeRunCursor, type RunCursor } from '../../core/run-cursor.js';
import type { RetryRecord } from '../../core/retry.js';
import type { WebhookCall, WebhookRecord } from '../../core/webhook.js';
import type { EndStatus, RunRecord, TurnName, TurnRecord } from '../../core/run.js';
import { FIRST_TURN } from '../../core/turns.js';
import type {
  EndAnswer,
  ForeignRun,
  RedriveMark,
  RunFilter,
  RunStore,
  StatusRow,
  StatusWrite,
  StoredValue,
  StoredWebhook,
  TurnWrite,
  ValueWrite,
} from '../../ports/run-store.js';
import { MemoryTimerData } from './memory-timers.js';

interface StatusCells {
  /** Status, reason and result are always written together. */
  head?: Omit<StatusRow, 'updatedAt'>;
  headStamp: number;
  updatedAt: number;
  updatedStamp: number;
}

/** What a Cassandra cluster would hold: share one among the stores of several workers of a process. */
export class MemoryStoreData {
  readonly runs = new Map<string, RunRecord>();
  /** By run, then by node and turn. */
  readonly turns = new Map<string, Map<string, TurnRecord>>();
  /** By run, then by context key. */
  readonly values = new Map<string, Map<string, StoredValue>>();
  readonly statuses = new Map<string, StatusCells>();
  readonly blueprints = new Map<string, WorkflowBlueprint>();
  /** By topic, then by partition and offset. */
  readonly redriven = new Map<string, Map<string, RedriveMark>>();
  /** By the hash of their token. */
  readonly webhooks = new Map<string, StoredWebhook>();
  /** By run, node and turn. */
  readonly calls = new Map<string, WebhookCall>();
  /** Rows of foreign clients; nobody but tests writes them. */
  readonly foreign = new Map<string, ForeignRun>();
  readonly timers = new MemoryTimerData();
}

/** The run store of one process. Resolves concurrent writes as Cassandra does: of two the higher stamp holds. */
export class MemoryRunStore implements RunStore {
  constructor(private readonly data: MemoryStoreData = new MemoryStoreData()) {}

  async connect(): Promise<void> {}

  async provision(): Promise<void> {}

  async close(): Promise<void> {}

  async accept(run: RunRecord): Promise<{ accepted: boolean; run: RunRecord }> {
    const before = this.data.runs.get(run.runId);
    if (before) return { accepted: false, run: structuredClone(before) };
    this.data.runs.set(run.runId, structuredClone(run));
    return { accepted: true, run: structuredClone(run) };
  }

  async create(run: RunRecord, first: StatusWrite): Promise<void> {
    await this.accept(run);
    await this.writeStatus(first);
  }

  async run(runId: string): Promise<RunRecord | undefined> {
    return structuredClone(this.data.runs.get(runId));
  }

  async end(runId: string, status: EndStatus, reason: string | undefined, at: number, retries = 0): Promise<EndAnswer> {
    const before = this.data.runs.get(runId);
    if (before?.status !== 'running' || (before.retries ?? 0) !== retries)
      return { ended: false, run: structuredClone(before) };
    const run: RunRecord = { ...before, status, endedAt: at, ...(reason === undefined ? {} : { reason }) };
    this.data.runs.set(runId, run);
    return { ended: true };
  }

  async reopen(
    runId: string,
    retries: number,
    retry: RetryRecord,
  ): Promise<{ reopened: boolean; run: RunRecord | undefined }> {
    const before = this.data.runs.get(runId);
    if (!before || before.status === 'running' || (before.retries ?? 0) !== retries)
      return { reopened: before?.retry?.id === retry.id, run: structuredClone(before) };
    const { endedAt: _at, reason: _reason, ...rest } = before;
    const run: RunRecord = { ...rest, status: 'running', retries: retries + 1, retry: structuredClone(retry) };
    this.data.runs.set(runId, run);
    return { reopened: true, run: structuredClone(run) };
  }

  async list(filter: RunFilter): Promise<{ runIds: string[]; cursor?: string }> {
    const after = filter.cursor === undefined ? undefined : decodeRunCursor(filter.cursor);
    const found = [...this.data.runs.values()]
      .filter(({ createdAt: at }) => at >= filter.from && at <= filter.to)
      .filter((run) => !after || newestFirst(run, after) > 0)
      .sort(newestFirst);
    const page = found.slice(0, filter.limit);
    const last = page.at(-1);
    return {
      runIds: page.map(({ runId }) => runId),
      ...(last && page.length < found.length ? { cursor: encodeRunCursor(last) } : {}),
    };
  }

  async turn(runId: string, nodeId: string, turn: string): Promise<TurnRecord | undefined> {
    return structuredClone(this.data.turns.get(runId)?.get(rowKey(nodeId, turn)));
  }

  async turns(runId: string, outputs = true): Promise<TurnRecord[]> {
    return [...(this.data.turns.get(runId)?.values() ?? [])].map((row) => {
      const { output, ...rest } = structuredClone(row);
      return outputs && output !== undefined ? { ...rest, output } : rest;
    });
  }

  async write(write: TurnWrite): Promise<void> {
    const { runId, record } = write;
    const rows = entry(this.data.turns, runId);
    const key = rowKey(record.nodeId, record.turn);
    const before = rows.get(key);
    if (!before || wins(record.token, stableJson(record), before.token, () => stableJson(before)))
      rows.set(key, structuredClone(record));
    await this.writeValues(runId, [...(write.ahead ?? []), ...write.values], record.token);
  }

  async writeValues(runId: string, written: readonly ValueWrite[], stamp: number): Promise<void> {
    const values = entry(this.data.values, runId);
    for (const value of written) {
      const next: StoredValue = { ...value, stamp };
      const old = values.get(value.key);
      if (!old || wins(next.stamp, rank(next), old.stamp, () => rank(old)))
        values.set(value.key, structuredClone(next));
    }
  }

  async values(runId: string, keys: readonly string[], givers: readonly string[]): Promise<StoredValue[]> {
    const stored = this.data.values.get(runId);
    const own = [...new Set(keys)].flatMap((key) => stored?.get(key) ?? []);
    const rows = givers.flatMap((nodeId) => this.data.turns.get(runId)?.get(rowKey(nodeId, FIRST_TURN)) ?? []);
    const given = rows.flatMap(givenBy).filter(({ key }) => keys.includes(key));
    return newest(own, given).map((value) => structuredClone(value));
  }

  async ownValues(runId: string): Promise<StoredValue[]>;
  async ownValues(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  async ownValues(runId: string, most = Infinity): Promise<StoredValue[] | undefined> {
    const found = [...(this.data.values.get(runId)?.values() ?? [])];
    return charactersIn(found) > most ? undefined : found.map((value) => structuredClone(value));
  }

  async allValues(runId: string): Promise<StoredValue[]>;
  async allValues(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  async allValues(runId: string, most = Infinity): Promise<StoredValue[] | undefined> {
    const rows = [...(this.data.turns.get(runId)?.values() ?? [])];
    const found = newest(await this.ownValues(runId), rows.flatMap(givenBy));
    return charactersIn(found) > most ? undefined : found.map((value) => structuredClone(value));
  }

  async outputs(runId: string, turns: readonly TurnName[]): Promise<(TurnName & { output: string })[]> {
    return turns.flatMap(({ nodeId, turn }) => {
      const output = this.data.turns.get(runId)?.get(rowKey(nodeId, turn))?.output;
      return output === undefined ? [] : [{ nodeId, turn, output }];
    });
  }

  async writeStatus(write: StatusWrite): Promise<void> {
    const { runId, status, reason, result, stamp, at } = write;
    const cells = this.statusCells(runId);
    const head = { status, ...(reason === undefined ? {} : { reason }), ...(result === undefined ? {} : { result }) };
    if (!cells.head || wins(stamp, stableJson(head), cells.headStamp, () => stableJson(cells.head))) {
      cells.head = head;
      cells.headStamp = stamp;
    }
    moveTime(cells, stamp, at);
  }

  async status(runId: string): Promise<StatusRow | undefined> {
    const cells = this.data.statuses.get(runId);
    return cells?.head && { ...cells.head, updatedAt: cells.updatedAt };
  }

  async touchStatus(runId: string, stamp: number, at: number): Promise<void> {
    moveTime(this.statusCells(runId), stamp, at);
  }

  async foreign(runId: string): Promise<ForeignRun | undefined> {
    return structuredClone(this.data.foreign.get(runId));
  }

  async markRedriven(topic: string, marks: readonly RedriveMark[]): Promise<void> {
    const marked = entry(this.data.redriven, topic);
    for (const mark of marks) marked.set(`${mark.partition}:${mark.offset}`, mark);
  }

  async redriven(topic: string, partition: number, from: bigint, to: bigint): Promise<RedriveMark[]> {
    const marks = [...entry(this.data.redriven, topic).values()];
    return marks.filter((mark) => mark.partition === partition && mark.offset >= from && mark.offset < to);
  }

  async addWebhook(hook: WebhookRecord): Promise<void> {
    const used = this.data.webhooks.get(hook.hash)?.used ?? false;
    this.data.webhooks.set(hook.hash, { ...hook, used });
  }

  async webhook(hash: string): Promise<StoredWebhook | undefined> {
    return structuredClone(this.data.webhooks.get(hash));
  }

  async useWebhook({ hash }: WebhookRecord): Promise<void> {
    const hook = this.data.webhooks.get(hash);
    if (hook) this.data.webhooks.set(hash, { ...hook, used: true });
  }

  async keepCall(call: WebhookCall): Promise<boolean> {
    const key = rowKey(call.runId, call.nodeId, call.turn);
    const kept = this.data.calls.get(key) ?? { ...call };
    this.data.calls.set(key, kept);
    return kept.id === call.id;
  }

  async keptCall(runId: string, { nodeId, turn }: TurnName): Promise<WebhookCall | undefined> {
    return structuredClone(this.data.calls.get(rowKey(runId, nodeId, turn)));
  }

  async dropCall({ runId, nodeId, turn, id }: WebhookCall): Promise<void> {
    const key = rowKey(runId, nodeId, turn);
    if (this.data.calls.get(key)?.id === id) this.data.calls.delete(key);
  }

  async saveBlueprint(hash: string, blueprint: WorkflowBlueprint): Promise<void> {
    this.data.blueprints.set(rowKey(blueprint.id, hash), structuredClone(blueprint));
  }

  async blueprint(blueprintId: string, hash: string): Promise<WorkflowBlueprint | undefined> {
    return structuredClone(this.data.blueprints.get(rowKey(blueprintId, hash)));
  }

  private statusCells(runId: string): StatusCells {
    const cells = this.data.statuses.get(runId) ?? { headStamp: 0, updatedAt: 0, updatedStamp: 0 };
    this.data.statuses.set(runId, cells);
    return cells;
  }
}

function newestFirst(a: RunCursor, b: RunCursor): number {
  return b.createdAt - a.createdAt || (a.runId < b.runId ? 1 : a.runId > b.runId ? -1 : 0);
}

/** Cassandra's rule for one cell: the higher stamp; of two equal stamps the greater value, so that all replicas agree. */
function wins(stamp: number, text: string, oldStamp: number, oldText: () => string): boolean {
  return stamp > oldStamp || (stamp === oldStamp && text > oldText());
}

/** Of two values with one stamp a deletion holds. */
function rank(value: StoredValue): string {
  return `${value.deleted ? '1' : '0'}${stableJson(value)}`;
}

function moveTime(cells: StatusCells, stamp: number, at: number): void {
  if (!wins(stamp, timeText(at), cells.updatedStamp, () => timeText(cells.updatedAt))) return;
  cells.updatedAt = at;
  cells.updatedStamp = stamp;
}

function timeText(at: number): string {
  return String(at).padStart(16, '0');
}

function rowKey(...parts: string[]): string {
  return parts.join('\u001f');
}

function entry<V>(maps: Map<string, Map<string, V>>, key: string): Map<string, V> {
  const map = maps.get(key) ?? new Map<string, V>();
  maps.set(key, map);
  return map;
}
