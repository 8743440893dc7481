import type { LedgerState } from '../core/ledger-state.js';
import {
  isEndStatus,
  isRetry,
  RETRY,
  type AwaitingDetails,
  type RunRecord,
  type RunStatus,
  type TurnRecord,
  type TurnStatus,
} from '../core/run.js';
import type { NodeError } from './run-failure.js';
import { parentOf, type RunParent } from './run-parent.js';

export interface NodeDescription {
  readonly nodeId: string;
  readonly turn: string;
  /** `ready`: due, its job is on the topic. `running`: a worker holds the claim, or the node pauses between two attempts. */
  readonly status: 'ready' | 'running' | 'awaiting' | 'completed' | 'failed' | 'cancelled';
  /** How often the node's code was tried in this turn; while an attempt runs, it and those just before it are not counted yet. */
  readonly attempts: number;
  /** ISO 8601: the node has failed and pauses until its next attempt. */
  readonly retryAt?: string;
  /** ISO 8601; the clocks of the workers. */
  readonly times: { readonly startedAt?: string; readonly endedAt?: string };
  readonly workerId?: string;
  /** The run that a `subflow` node has started, while the node runs or waits for it. */
  readonly childRunId?: string;
  readonly action?: string;
  readonly error?: Omit<NodeError, 'nodeId' | 'turn'>;
}

/** What a node of a run waits for. */
export interface AwaitingDescription {
  readonly nodeId: string;
  readonly turn: string;
  /** `external_event`: an answer; `timer` or `start`: a time; `subflow`: whatever its run waits for. Nodes of yours may give others. */
  readonly reason: string;
  /** ISO 8601: the node goes on by itself then, if nothing else comes before. */
  readonly wakeUpAt?: string;
  /** The run of the subflow, if the reason is `subflow`: its `getRun()` tells what waits in it, and `resume()` answers that. */
  readonly childRunId?: string;
}

export interface RunDescription {
  readonly runId: string;
  readonly blueprintId: string;
  readonly blueprintVersion: string | null;
  /** The node that this run is the subflow of; absent: it was started by itself. */
  readonly parent?: RunParent;
  readonly status: RunStatus;
  readonly reason?: string;
  readonly tags: readonly string[];
  /** How often the run was retried; absent: never. */
  readonly retries?: number;
  /** ISO 8601. */
  readonly times: { readonly createdAt: string; readonly endedAt?: string };
  readonly nodes: readonly NodeDescription[];
  readonly awaiting: readonly AwaitingDescription[];
}

/**
 * Puts together what the journal and the ledger know of a run; the journal decides where both know a turn as settled.
 * @param starts the turns that the run begins with
 * @param awaitingChildren child runs that await something: only then does the node of the subflow
 */
export function describeRun(
  record: RunRecord,
  journal: readonly TurnRecord[],
  ledger: LedgerState,
  awaitingChildren: ReadonlySet<string>,
  starts: readonly { readonly node: string; readonly turn: string }[],
): RunDescription {
  const outcomes = journal.filter((row): row is TurnRecord & DescribedRow => row.status !== 'reset');
  const rows = outcomes.map((row) => (isAtWork(row, awaitingChildren) ? { ...row, status: 'running' as const } : row));
  const nodes = new Map<string, NodeDescription>();
  const key = (nodeId: string, turn: string) => `${nodeId}\u001f${turn}`;
  for (const row of [...rows].sort((a, b) => a.startedAt - b.startedAt || a.token - b.token))
    nodes.set(key(row.nodeId, row.turn), describeRow(row));
  for (const open of ledger.turns()) {
    if (open.state === 'D' || open.state === 'W') continue;
    if (isEndStatus(record.status) && nodes.has(key(open.node, open.turn))) continue; // it was interrupted, as its row says
    const running = open.state === 'C' && open.worker !== '?';
    const before = nodes.get(key(open.node, open.turn));
    // a token is the time at which it was granted
    const startedAt = before?.times.startedAt ?? (running ? iso(open.token / 1000) : undefined);
    nodes.set(key(open.node, open.turn), {
      nodeId: open.node,
      turn: open.turn,
      status: running ? 'running' : 'ready',
      attempts: before?.attempts ?? 0,
      times: startedAt === undefined ? {} : { startedAt },
      ...(running ? { workerId: open.worker } : {}),
    });
  }
  const ended = isEndStatus(record.status);
  const delayed = nodes.size === 0 && !ended ? delayedStarts(record, starts) : [];
  for (const row of delayed)
    nodes.set(key(row.nodeId, row.turn), {
      nodeId: row.nodeId,
      turn: row.turn,
      status: 'awaiting',
      attempts: 0,
      times: {},
    });
  const described = [...nodes.values()].filter((n) => !ended || (n.status !== 'ready' && n.status !== 'running'));
  const waiting = ended ? [] : rows.filter((row) => nodes.get(key(row.nodeId, row.turn))?.status === 'awaiting');
  const open = described.some((n) => n.status === 'ready' || n.status === 'running');
  return {
    runId: record.runId,
    blueprintId: record.blueprintId,
    blueprintVersion: record.blueprintVersion,
    ...parentOf(record),
    status: ended ? record.status : !open && waiting.length + delayed.length > 0 ? 'awaiting' : 'running',
    ...(record.reason === undefined ? {} : { reason: record.reason }),
    tags: record.tags,
    ...(record.retries === undefined ? {} : { retries: record.retries }),
    times: {
      createdAt: iso(record.createdAt),
      ...(record.endedAt === undefined ? {} : { endedAt: iso(record.endedAt) }),
    },
    nodes: described,
    awaiting: [...delayed, ...waiting].map((row) => ({
      nodeId: row.nodeId,
      turn: row.turn,
      ...(row.awaiting ?? { reason: 'external_event' }),
    })),
  };
}

/** What a run waits for that begins later. */
function delayedStarts(
  { options, parent }: RunRecord,
  starts: readonly { readonly node: string; readonly turn: string }[],
): { nodeId: string; turn: string; awaiting: AwaitingDetails }[] {
  if (options?.startAt === undefined || parent) return [];
  const awaiting = { reason: 'start', wakeUpAt: iso(options.startAt) };
  return starts.map(({ node, turn }) => ({ nodeId: node, turn, awaiting }));
}

/** The context keys that flowcraft keeps while a run waits. */
export function awaitingKeys(
  rows: readonly TurnRecord[],
  awaitingChildren: ReadonlySet<string>,
): Record<string, unknown> {
  const waiting = rows
    .filter((row) => row.status === 'awaiting' && !isAtWork(row, awaitingChildren))
    .sort((a, b) => a.token - b.token);
  if (waiting.length === 0) return {};
  const details: Record<string, AwaitingDetails> = {};
  // flowcraft gives none for a subflow
  for (const row of waiting)
    if (row.awaiting && row.awaiting.childRunId === undefined) details[row.nodeId] = row.awaiting;
  return { _awaitingNodeIds: waiting.map((row) => row.nodeId), _awaitingDetails: details };
}

/** A subflow's node works as long as the subflow does, and one that is tried again all the time. */
export function isAtWork(row: TurnRecord, awaitingChildren: ReadonlySet<string>): boolean {
  const child = row.awaiting?.childRunId;
  if (isRetry(row)) return true;
  return row.status === 'awaiting' && child !== undefined && !awaitingChildren.has(child);
}

type DescribedRow = Omit<TurnRecord, 'status'> & { readonly status: Exclude<TurnStatus, 'reset'> | 'running' };

function describeRow(row: DescribedRow): NodeDescription {
  return {
    nodeId: row.nodeId,
    turn: row.turn,
    status: row.status,
    attempts: row.attempts,
    times: { startedAt: iso(row.startedAt), ...(row.status === 'running' ? {} : { endedAt: iso(row.endedAt) }) },
    ...(row.status === 'running' && row.awaiting?.reason === RETRY && row.awaiting.wakeUpAt !== undefined
      ? { retryAt: row.awaiting.wakeUpAt }
      : {}),
    workerId: row.worker,
    ...(row.awaiting?.childRunId === undefined ? {} : { childRunId: row.awaiting.childRunId }),
    ...(row.action === undefined ? {} : { action: row.action }),
    ...(row.error
      ? {
          error: {
            message: row.error.message,
            ...(row.error.cause ? { cause: row.error.cause } : {}),
            at: iso(row.endedAt),
          },
        }
      : {}),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
