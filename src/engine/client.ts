import type { ISerializer, WorkflowResult } from 'flowcraft';
import { RunEndedError, RunNotFoundError } from '../core/errors.js';
import { assertRunId } from '../core/identifiers.js';
import { isEndStatus, type EndStatus, type RunStatus, type TurnRecord } from '../core/run.js';
import { delay, type Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunSignals } from '../ports/run-signals.js';
import type { RunStore } from '../ports/run-store.js';
import type { ActiveRun, ActiveRuns } from './active-run.js';
import { errorsOf, type Finisher, type NodeError } from './finisher.js';
import type { Persistence } from './persistence.js';
import type { Answer, Resumer } from './resumer.js';
import { RunContext, type ContextSources } from './run-context.js';
import { awaitingKeys, describeRun, type RunDescription } from './run-description.js';
import type { RunHandle, RunStarter, StartOptions } from './run-starter.js';
import type { RunOutcome, RunWaiter, WaitOptions } from './run-waiter.js';

export interface RunSummary {
  readonly runId: string;
  readonly blueprintId: string;
  readonly blueprintVersion: string | null;
  readonly status: RunStatus;
  readonly tags: readonly string[];
  /** ISO 8601. */
  readonly createdAt: string;
}

export interface ListOptions {
  readonly status?: RunStatus;
  readonly blueprintId?: string;
  readonly tag?: string;
  /** Time of acceptance; default: the last 24 hours. */
  readonly from?: Date;
  readonly to?: Date;
  /** Default 100. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** What happened in a run, in the order in which it was recorded. */
export type RunEvent =
  | {
      readonly type: 'node';
      readonly runId: string;
      readonly nodeId: string;
      readonly turn: string;
      readonly status: 'running' | 'awaiting' | 'completed' | 'failed' | 'cancelled';
      readonly at: string;
    }
  | { readonly type: 'run'; readonly runId: string; readonly status: RunStatus; readonly at: string };

export interface ClientParts {
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly signals: RunSignals;
  readonly runs: ActiveRuns;
  readonly starter: RunStarter;
  readonly waiter: RunWaiter;
  readonly resumer: Resumer;
  readonly finisher: Finisher;
  readonly sources: ContextSources;
  readonly persistence: Persistence;
  readonly serializer: ISerializer;
  readonly clock: Clock;
}

const EVENT_POLL_MS = 250;
const DAY_MS = 24 * 3_600_000;

/** Starts runs and answers for them, from any process. */
export class Client {
  constructor(private readonly parts: ClientParts) {}

  start(blueprintId: string, initialContext: Record<string, unknown>, options: StartOptions): Promise<RunHandle> {
    return this.parts.starter.start(blueprintId, initialContext, options);
  }

  async wait(runId: string, options: WaitOptions): Promise<RunOutcome> {
    assertRunId(runId);
    const { status, row, timedOut } = await this.parts.waiter.wait(runId, options);
    const outcome = { runId, status, timedOut, ...(row?.reason === undefined ? {} : { reason: row.reason }) };
    if (row?.result !== undefined && isEndStatus(status))
      return { ...outcome, ...(await this.result(runId, row.result)) };
    if (status !== 'awaiting') return outcome;
    const context = await this.context(runId);
    return { ...outcome, result: { context, serializedContext: this.parts.serializer.serialize(context), status } };
  }

  async describe(runId: string): Promise<RunDescription> {
    const { store, ledger } = this.parts;
    const run = await this.find(runId);
    const [record, rows, state] = await Promise.all([store.run(runId), store.turns(runId, false), ledger.read(runId)]);
    return describeRun(record ?? run.record, rows, state, await this.awaitingChildren(rows));
  }

  async context(runId: string): Promise<Record<string, unknown>> {
    const run = await this.find(runId);
    const [record, rows] = await Promise.all([this.parts.store.run(runId), this.parts.store.turns(runId, false)]);
    const waiting = record?.status === 'running' ? awaitingKeys(rows, await this.awaitingChildren(rows)) : {};
    return { ...(await new RunContext(run, this.parts.sources).toJSON()), ...waiting, _executionId: run.executionId };
  }

  async list(options: ListOptions): Promise<{ runs: RunSummary[]; cursor?: string }> {
    const { store, clock } = this.parts;
    const limit = options.limit ?? 100;
    const to = options.to?.getTime() ?? clock.now() + DAY_MS;
    const from = options.from?.getTime() ?? clock.now() - DAY_MS;
    const runs: RunSummary[] = [];
    let { cursor } = options;
    do {
      const page = await store.list({
        from,
        to,
        limit: limit - runs.length,
        ...(cursor === undefined ? {} : { cursor }),
      });
      cursor = page.cursor;
      const found = await Promise.all(page.runIds.map((runId) => this.summary(runId)));
      runs.push(...found.filter((s) => s !== undefined).filter((s) => matches(s, options)));
    } while (cursor !== undefined && runs.length < limit);
    return { runs, ...(cursor === undefined ? {} : { cursor }) };
  }

  async resume(runId: string, nodeId: string | undefined, answer: Answer): Promise<void> {
    await this.parts.resumer.resume(await this.find(runId), nodeId, answer);
  }

  async cancel(runId: string, reason: string | undefined): Promise<void> {
    const status = await this.end(runId, 'cancelled', reason ?? 'Cancelled by the client.');
    if (status !== 'cancelled') throw new RunEndedError(runId, status);
  }

  /** Ends a run as the caller decides, unless it has ended already. Answers the status that it has then. */
  async end(runId: string, status: EndStatus, reason: string | undefined): Promise<EndStatus> {
    const { store, ledger, finisher, signals, persistence } = this.parts;
    const run = await this.find(runId);
    const [record, state, now] = await Promise.all([store.run(runId), ledger.read(runId), ledger.now()]);
    if (record && isEndStatus(record.status)) {
      await finisher.complete(run, record);
      return record.status;
    }
    const stamp = Math.max(now, state.counts().token) + 1;
    const final = await finisher.finish(run, status, reason, stamp);
    if (final === status) await persistence.until(() => signals.announceCancel(runId), { runId });
    for (const row of await store.turns(runId, false)) {
      const child = row.status === 'awaiting' ? row.awaiting?.childRunId : undefined;
      if (child !== undefined) await this.cancelChild(child, reason);
    }
    return final;
  }

  /** Polls the journal, so that watching a run costs its workers nothing. */
  async *events(runId: string): AsyncGenerator<RunEvent, void, undefined> {
    const seen = new Map<string, string>();
    let status: RunStatus | undefined;
    for (;;) {
      const run = await this.describe(runId);
      for (const node of run.nodes) {
        if (node.status === 'ready' || seen.get(`${node.nodeId}\u001f${node.turn}`) === node.status) continue;
        seen.set(`${node.nodeId}\u001f${node.turn}`, node.status);
        const at = node.times.endedAt ?? new Date(this.parts.clock.now()).toISOString();
        yield { type: 'node', runId, nodeId: node.nodeId, turn: node.turn, status: node.status, at };
      }
      if (run.status !== status) {
        status = run.status;
        yield { type: 'run', runId, status, at: run.times.endedAt ?? new Date(this.parts.clock.now()).toISOString() };
      }
      if (isEndStatus(status)) return;
      await delay(this.parts.clock, EVENT_POLL_MS);
    }
  }

  private async cancelChild(childRunId: string, reason: string | undefined): Promise<void> {
    const child = await this.parts.store.run(childRunId);
    if (child?.status === 'running') await this.cancel(childRunId, reason);
  }

  private awaitingChildren(rows: readonly TurnRecord[]): Promise<Set<string>> {
    const children = rows.flatMap((row) => (row.status === 'awaiting' ? (row.awaiting?.childRunId ?? []) : []));
    return this.parts.finisher.awaitingOf(children);
  }

  private async find(runId: string): Promise<ActiveRun> {
    assertRunId(runId);
    const run = await this.parts.runs.find(runId);
    if (!run) throw new RunNotFoundError(runId);
    return run;
  }

  private async summary(runId: string): Promise<RunSummary | undefined> {
    const { store } = this.parts;
    const [run, row] = await Promise.all([store.run(runId), store.status(runId)]);
    if (!run) return undefined;
    const status = isEndStatus(run.status) ? run.status : row?.status === 'awaiting' ? 'awaiting' : 'running';
    return {
      runId,
      blueprintId: run.blueprintId,
      blueprintVersion: run.blueprintVersion,
      status,
      tags: run.tags,
      createdAt: new Date(run.createdAt).toISOString(),
    };
  }

  private async result(
    runId: string,
    text: string,
  ): Promise<{ result: WorkflowResult; errors?: readonly NodeError[] }> {
    const { serializer, store } = this.parts;
    const stored = JSON.parse(text) as {
      context?: Record<string, unknown>;
      status: WorkflowResult['status'];
      errors?: NodeError[];
    };
    const context =
      stored.context === undefined ? await this.context(runId) : serializer.deserialize(JSON.stringify(stored.context));
    const errors = stored.errors ?? (stored.status === 'cancelled' ? errorsOf(await store.turns(runId, false)) : []);
    const result = { context, serializedContext: serializer.serialize(context), status: stored.status };
    if (errors.length === 0) return { result };
    return { result: { ...result, errors: errors.map((e) => workflowError(e)) }, errors };
  }
}

function workflowError(error: NodeError): NonNullable<WorkflowResult['errors']>[number] {
  const { nodeId, message, at, cause } = error;
  const original = Object.assign(
    new Error(message, cause ? { cause: Object.assign(new Error(cause.message), { name: cause.name }) } : undefined),
    { nodeId },
  );
  return { nodeId, message, timestamp: at, isFatal: false, name: 'FlowcraftError', originalError: original };
}

function matches(run: RunSummary, { status, blueprintId, tag }: ListOptions): boolean {
  return (
    (status === undefined || run.status === status) &&
    (blueprintId === undefined || run.blueprintId === blueprintId) &&
    (tag === undefined || run.tags.includes(tag))
  );
}
