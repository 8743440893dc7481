import { assertContextKey } from '../core/identifiers.js';
import { readEntries } from '../core/flaws.js';
import { ArgumentInvalidError, RunNotRetryableError } from '../core/errors.js';
import { nodesFrom, planOf, rekeyed, type RetryPlan, type RetryRecord } from '../core/retry.js';
import { isEndStatus, timeLimitOf, type RunRecord, type TurnRecord } from '../core/run.js';
import type { ValueCodec } from '../core/value-codec.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunStore } from '../ports/run-store.js';
import { retriesOf, type ActiveRun, type ActiveRuns } from './active-run.js';
import type { Finisher } from './finisher.js';
import { openedStatus } from './opened-status.js';
import type { Persistence } from './persistence.js';
import type { Rebuilder } from './rebuilder.js';
import type { RunTimers } from './run-timers.js';

export interface RetryOptions {
  /** This node and all that follows it execute again. Default: nodes that failed or were under way. */
  readonly fromNodeId?: string;
  /** Context values that hold from now on. A key that is a node's id replaces the output of that node. */
  readonly contextPatch?: Readonly<Record<string, unknown>>;
  /** Only tells what would execute. Default false. */
  readonly dryRun?: boolean;
}

export interface RetryResult extends RetryPlan {
  readonly runId: string;
  readonly dryRun: boolean;
}

export interface RetrierParts {
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly runs: ActiveRuns;
  readonly finisher: Finisher;
  readonly rebuilder: Rebuilder;
  readonly timers: RunTimers;
  readonly codec: ValueCodec;
  readonly persistence: Persistence;
}

/**
 * Opens runs again that have ended. What is discarded stands in the head of the run before anything changes, and is
 * carried out by a rebuild: whoever finds the run does the same, if this process is lost on the way.
 */
export class Retrier {
  constructor(private readonly parts: RetrierParts) {}

  /** @param id names this retry: called again with it, what is left to do is done */
  async retry(run: ActiveRun, options: RetryOptions, id: string): Promise<RetryResult> {
    const { store, ledger, runs, finisher, timers } = this.parts;
    const { runId, plan, record } = run;
    const { fromNodeId, dryRun = false } = options;
    if (fromNodeId !== undefined && !plan.nodes.has(fromNodeId))
      throw new ArgumentInvalidError('retry()', [
        { path: 'fromNodeId', message: `must be a node of blueprint '${plan.id}'; it has no '${fromNodeId}'` },
      ]);
    const patch = this.encodePatch(run, options.contextPatch ?? {});
    const isRepeated = record.retry?.id === id;
    if (!isRepeated) assertRetryable(record, fromNodeId);
    // whoever ended the run may still be at it
    if (!dryRun && !isRepeated) await finisher.complete(run, record);
    const [rows, state, now] = await Promise.all([store.turns(runId, false), ledger.read(runId), ledger.now()]);
    const stamp = Math.max(now, state.counts().token, ...tokensOf(rows)) + 2;
    const from = fromNodeId === undefined ? {} : { from: [...nodesFrom(plan, [fromNodeId], rows)] };
    const draft: RetryRecord = { id, stamp, ...from, patch, keys: {} };
    const effect = planOf(plan, draft, rows);
    const result = { runId, dryRun, ...effect };
    if (isRepeated) {
      await this.carryOut(run);
      return result;
    }
    if (effect.ready.length === 0 || (fromNodeId !== undefined && !rows.some((row) => row.nodeId === fromNodeId)))
      throw new RunNotRetryableError(runId, nothingToDo(fromNodeId));
    if (dryRun) return result;
    const keys = { ...record.retry?.keys };
    for (const nodeId of rekeyed(plan, draft, rows)) keys[nodeId] = retriesOf(record) + 1;
    const retry = { ...draft, keys, ...deadlineFrom(record, now) };
    await timers.record({ ...record, retry });
    // the run is watched before it is open, so that it is found if this process is lost
    await ledger.touch([runId]);
    const { reopened, run: opened } = await store.reopen(runId, retriesOf(record), retry);
    if (!reopened || !opened) throw new RunNotRetryableError(runId, 'another retry was faster.');
    await this.carryOut(await runs.hold(opened));
    return result;
  }

  private async carryOut(run: ActiveRun): Promise<void> {
    const { store, ledger, rebuilder, timers, persistence } = this.parts;
    const { runId, record } = run;
    const [state, now] = await persistence.until(() => Promise.all([ledger.read(runId), ledger.now()]), { runId });
    const { retry } = record;
    if (retry)
      await persistence.until(() => store.writeStatus(openedStatus(record, retry, Math.round(now / 1000))), { runId });
    if (Number(state.get('z') ?? 0) < retriesOf(record) || state.fields.size === 0)
      await rebuilder.rebuild(run, state.get('i'), 0);
    await timers.arm(record);
  }

  private encodePatch(run: ActiveRun, patch: Readonly<Record<string, unknown>>): Record<string, string> {
    const { runId, plan } = run;
    const entries = readEntries(patch, 'contextPatch', { runId }).flatMap(([key, value]) => {
      assertContextKey(key, { runId });
      const text = this.parts.codec.encode(value, `The value '${key}' of contextPatch`, { runId });
      // nodes read the output of another from there
      const keys = plan.nodes.has(key) ? [key, `_outputs.${key}`] : [key];
      return keys.map((name) => [name, text] as const);
    });
    return Object.fromEntries(entries);
  }
}

/** The time limit of the run begins anew. `now`: microseconds. */
function deadlineFrom(record: RunRecord, now: number): Pick<RetryRecord, 'deadline'> {
  const limitMs = timeLimitOf(record);
  if (limitMs === undefined) return {};
  return { deadline: Math.max(Math.round(now / 1000), record.options?.startAt ?? 0) + limitMs };
}

function assertRetryable(record: RunRecord, fromNodeId: string | undefined): void {
  const { runId, status, parent } = record;
  if (!isEndStatus(status)) throw new RunNotRetryableError(runId, 'it has not ended. Wait for its end, or cancel it.');
  if (parent)
    throw new RunNotRetryableError(
      runId,
      `it is the subflow of node '${parent.nodeId}' of run '${parent.runId}'. Retry that run.`,
    );
  if (status === 'completed' && fromNodeId === undefined)
    throw new RunNotRetryableError(runId, 'it has completed. Name the node to begin with as fromNodeId.');
}

function nothingToDo(fromNodeId: string | undefined): string {
  return fromNodeId === undefined
    ? 'no node of it failed or was under way. Name the node to begin with as fromNodeId.'
    : `node '${fromNodeId}' has not been executed in it, or nothing leads to it.`;
}

function tokensOf(rows: readonly TurnRecord[]): number[] {
  return rows.map((row) => row.token);
}
