import { LRUCache } from 'lru-cache';
import { TooManyTurnsError } from '../core/errors.js';
import { repetitionAt } from '../core/loops.js';
import type { RunCounts } from '../core/ledger-state.js';
import { isEndStatus, isRetry, type EndStatus, type RunRecord, type RunStatus } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunSignals } from '../ports/run-signals.js';
import type { RunStore } from '../ports/run-store.js';
import { retriesOf, type ActiveRun } from './active-run.js';
import { contextJson } from './context-json.js';
import { cutShort, type Interrupted } from './cut-short.js';
import type { EngineOptions } from './engine-options.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';
import type { Persistence } from './persistence.js';
import { RunContext, type ContextSources } from './run-context.js';
import { errorsOf, reasonOf, runawayIn, summaryOf, type NodeError } from './run-failure.js';
import type { SettledHere } from './settled-here.js';

export type { NodeError } from './run-failure.js';

interface Ending {
  readonly stamp: number;
  readonly hasErrors?: boolean;
  readonly isCutShort?: boolean;
  /** How many turns the run has had, if that is known. */
  readonly turns?: number;
}

/** Ends runs that have no more work, and says so. Every step is safe to repeat; the last one closes the ledger. */
export class Finisher {
  /** Settles the turn that a child run works for. */
  onChildEnd: ((child: ActiveRun) => Promise<void>) | undefined;
  /** Ends the child runs of turns that were interrupted. */
  onCutShort: ((run: ActiveRun, interrupted: Interrupted) => Promise<void>) | undefined;
  /** Ends under way here, by run: the messages of many turns of one run may find at once that it has no work left. */
  private readonly underWay = new Map<string, Promise<EndStatus | undefined>>();
  private readonly listeners = new Set<(run: ActiveRun, status: RunStatus, errors: readonly NodeError[]) => void>();
  /** The last token of runs that were found to await: several messages may find the same. */
  private readonly pauses = new LRUCache<string, number>({ max: 1000 });

  constructor(
    readonly store: RunStore,
    readonly ledger: Ledger,
    readonly signals: RunSignals,
    readonly persistence: Persistence,
    readonly clock: Clock,
    private readonly logger: Logger,
    private readonly flowcraft: FlowcraftRuntime,
    private readonly sources: ContextSources,
    private readonly settled: SettledHere,
    private readonly options: EngineOptions,
  ) {}

  onStatus(listener: (run: ActiveRun, status: RunStatus, errors: readonly NodeError[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Looks whether the run has ended or awaits, after one of its turns settled. */
  async review(run: ActiveRun, counts: RunCounts): Promise<void> {
    if (counts.tooManyTurnsAt !== undefined) {
      const most = this.options.limits.maxTurnsPerRun;
      const node = counts.tooManyTurnsAt;
      const { message } = new TooManyTurnsError(run.runId, node, most, repetitionAt(node, run.plan));
      return this.finishOnce(run, 'failed', message, { stamp: counts.token + 1, isCutShort: true });
    }
    const isFailFast = run.record.options?.failurePolicy === 'fail-fast';
    const endsAtOnce = counts.isOver || (counts.failed && isFailFast);
    if (endsAtOnce && counts.open + counts.awaiting > 0) {
      await this.finish(run, 'failed', undefined, { stamp: counts.token + 1, isCutShort: true });
      return;
    }
    if (counts.open > 0) return;
    if (counts.awaiting > 0) {
      await this.pause(run, counts);
      return;
    }
    const status = endsAtOnce || (counts.failed && !counts.rescued) ? 'failed' : 'completed';
    await this.finishOnce(run, status, undefined, {
      stamp: counts.token + 1,
      hasErrors: counts.failed,
      turns: counts.turns,
    });
  }

  private async finishOnce(
    run: ActiveRun,
    status: EndStatus,
    reason: string | undefined,
    ending: Ending,
  ): Promise<void> {
    const { runId } = run;
    const others = this.underWay.get(runId);
    const own = others ?? this.finish(run, status, reason, ending).finally(() => this.underWay.delete(runId));
    this.underWay.set(runId, own);
    if ((await own) === undefined) await this.reviewAgain(run);
  }

  /** The run was opened again since: what holds now is in the ledger, if that is of the same attempt. */
  private async reviewAgain({ runId }: ActiveRun): Promise<void> {
    const run = await this.persistence.until(() => this.sources.runs.current(runId), { runId });
    const state = await this.persistence.until(() => this.ledger.read(runId), { runId });
    const isCurrent = run && Number(state.get('z') ?? 0) === retriesOf(run.record) && state.get('x') === undefined;
    if (isCurrent && state.fields.size > 0) await this.review(run, state.counts());
  }

  /**
   * Ends the run, unless it has ended already: the first to end it decides how. `stamp` must lie above all tokens of
   * the run. `isCutShort`: there may be work left, which is stopped. Undefined: the run was opened again since, so this
   * end was that of an earlier attempt.
   */
  async finish(
    run: ActiveRun,
    status: EndStatus,
    reason: string | undefined,
    { stamp, hasErrors = status === 'failed', isCutShort = false, turns }: Ending,
  ): Promise<EndStatus | undefined> {
    const { runId } = run;
    let errors = hasErrors ? await this.errors(runId) : [];
    const why = reason ?? (status === 'failed' ? reasonOf(errors) : undefined);
    const end = await this.persistence.until(
      () => this.store.end(runId, status, why, this.clock.now(), retriesOf(run.record)),
      { runId },
    );
    if (end.run && (end.run.status === 'running' || retriesOf(end.run) !== retriesOf(run.record))) return undefined;
    const final = (end.run && end.run.status !== 'running' ? end.run.status : status) satisfies EndStatus;
    const finalReason = end.run?.reason ?? why;
    // nothing settles any more
    if (isCutShort && !(await this.close(runId, stamp, (below) => this.ledger.end(runId, final, below))))
      return undefined;
    const interrupted = isCutShort ? await cutShort(this, run, stamp) : undefined;
    if (interrupted) await this.onCutShort?.(run, interrupted);
    if (final !== status && final !== 'cancelled') errors = await this.errors(runId); // another was first, and the end is its
    if (final === 'failed') errors = [...errors, ...runawayIn(finalReason, end.run?.endedAt ?? this.clock.now())];
    // read after the end: whoever then still writes that the run awaits or works has a lower stamp, or finds it ended
    const [now, result] = await Promise.all([
      this.persistence.until(() => this.ledger.now(), { runId }),
      this.result(run, final, errors, final === 'completed' ? turns : undefined),
    ]);
    if (run.record.parent) await this.onChildEnd?.(run);
    // after all that others rely on, so that an ended status row says that nothing of this is left to do
    await this.persistence.until(
      () =>
        this.store.writeStatus({
          runId,
          status: final,
          stamp: Math.max(interrupted?.stamp ?? stamp, now + 1),
          at: this.clock.now(),
          ...(result === undefined ? {} : { result }),
          ...(finalReason === undefined ? {} : { reason: finalReason }),
        }),
      { runId },
    );
    await Promise.all([
      this.close(runId, stamp, (below) => this.ledger.conclude(runId, final, below)),
      this.announce(runId, final),
    ]);
    this.settled.forget(runId);
    for (const listener of this.listeners) listener(run, final, errors);
    if (final === 'failed') this.logger.warn(`Run failed: ${summaryOf(errors, finalReason)}`, { runId });
    else this.logger.debug(`Run ended: ${final}.`, { runId });
    return final;
  }

  /** Closes the ledger of a run that has ended. False: the run was opened again, and its ledger is a new one. */
  private async close(runId: string, stamp: number, end: (below: number) => Promise<boolean>): Promise<boolean> {
    for (let below = stamp; ;) {
      if (await this.persistence.until(() => end(below), { runId })) return true;
      // tokens were granted since: to a retry of the run, or while it ended. The time first, the run then: a retry that
      // comes after this look has higher tokens
      below = await this.persistence.until(() => this.ledger.now(), { runId });
      const run = await this.persistence.until(() => this.store.run(runId), { runId });
      if (run?.status === 'running') return false;
    }
  }

  /** For a run that has ended: does what is left to do of it, if whoever ended it was lost on the way. */
  async complete(run: ActiveRun, record: RunRecord): Promise<void> {
    const { runId } = run;
    const { status, reason } = record;
    if (!isEndStatus(status)) return;
    const [row, state, now] = await this.persistence.until(
      () => Promise.all([this.store.status(runId), this.ledger.read(runId), this.ledger.now()]),
      { runId },
    );
    if (row && isEndStatus(row.status)) return;
    const { open, awaiting, token } = state.counts();
    // nothing is left to do in a run that has completed, whatever the ledger still knows
    const isCutShort = status !== 'completed' && (open + awaiting > 0 || state.fields.size === 0);
    await this.finish(run, status, reason, { stamp: Math.max(now, token) + 1, hasErrors: true, isCutShort });
  }

  /** The failures of a run that no fallback rescued. */
  async errors(runId: string): Promise<NodeError[]> {
    const rows = await this.persistence.until(() => this.store.turns(runId, false), { runId });
    return errorsOf(rows);
  }

  /** A run that awaited something goes on, and so do the runs that it is a subflow of. */
  async unpause(run: ActiveRun, stamp: number): Promise<void> {
    const { runId } = run;
    if (await this.hasEnded(runId)) return;
    await this.persistence.until(
      () => this.store.writeStatus({ runId, status: 'running', stamp, at: this.clock.now() }),
      { runId },
    );
    await this.persistence.until(() => this.ledger.touch([runId]), { runId });
    const parent = await this.parentOf(run);
    if (parent) await this.unpause(parent, await this.persistence.until(() => this.ledger.now(), { runId }));
  }

  /** Nothing is open, but some turns wait. For a subflow that works on, the run works on. */
  private async pause(run: ActiveRun, counts: RunCounts): Promise<void> {
    const { runId } = run;
    this.settled.forget(runId);
    const rows = await this.persistence.until(() => this.store.turns(runId, false), { runId });
    const waiting = rows.filter((row) => row.status === 'awaiting');
    // a node that is tried again works on, and so does a subflow that is
    if (waiting.some(isRetry) || (rows.length === 0 && run.record.parent)) return;
    const children = waiting.flatMap((row) => row.awaiting?.childRunId ?? []);
    if (children.length > 0) {
      const awaiting = await this.awaitingOf(children);
      if (awaiting.size < children.length) return; // the others come here again when they end or wait
    }
    // with children, a run may come to await several times between two of its own tokens
    const stamp =
      children.length === 0 ? counts.token : await this.persistence.until(() => this.ledger.now(), { runId });
    if (await this.hasEnded(runId)) return;
    await this.persistence.until(
      () => this.store.writeStatus({ runId, status: 'awaiting', stamp, at: this.clock.now() }),
      { runId },
    );
    await this.persistence.until(() => this.ledger.forget(runId), { runId });
    const state = await this.persistence.until(() => this.ledger.read(runId), { runId });
    // an answer that came meanwhile wants the run to be watched
    if (state.counts().open > 0) await this.persistence.until(() => this.ledger.touch([runId]), { runId });
    await this.announce(runId, 'awaiting');
    if (this.pauses.get(runId) !== counts.token) {
      this.pauses.set(runId, counts.token);
      for (const listener of this.listeners) listener(run, 'awaiting', []);
    }
    const parent = await this.parentOf(run);
    if (!parent) return;
    const above = await this.persistence.until(() => this.ledger.read(parent.runId), { runId: parent.runId });
    if (above.fields.size > 0 && above.get('x') === undefined) await this.review(parent, above.counts());
  }

  /** Which of these runs await something. */
  async awaitingOf(runIds: readonly string[]): Promise<Set<string>> {
    const rows = await Promise.all(
      runIds.map((runId) => this.persistence.until(() => this.store.status(runId), { runId })),
    );
    return new Set(runIds.filter((_, i) => rows[i]?.status === 'awaiting'));
  }

  private async hasEnded(runId: string): Promise<boolean> {
    const record = await this.persistence.until(() => this.store.run(runId), { runId });
    return record !== undefined && isEndStatus(record.status);
  }

  private async parentOf(run: ActiveRun): Promise<ActiveRun | undefined> {
    const { parent } = run.record;
    if (!parent) return undefined;
    return this.persistence.until(() => this.sources.runs.find(parent.runId), { runId: parent.runId });
  }

  /** Whoever waits also asks the store, so an announcement that fails delays only. */
  private async announce(runId: string, status: EndStatus | 'awaiting'): Promise<void> {
    try {
      await this.signals.announceEnd({ runId, status });
    } catch (error) {
      this.logger.debug('The end of a run could not be announced.', { runId, error });
    }
  }

  private async result(
    run: ActiveRun,
    status: EndStatus,
    errors: readonly NodeError[],
    turns: number | undefined,
  ): Promise<string | undefined> {
    if (status === 'cancelled') return JSON.stringify({ context: {}, serializedContext: '{}', status });
    const most = this.options.limits.maxResultBytes;
    const head = { status, ...(errors.length > 0 ? { errors } : {}) };
    const rows = turns === undefined ? undefined : this.settled.all(run.runId, turns);
    const texts = await new RunContext(run, this.sources).stored(most, rows);
    if (!texts) return JSON.stringify(head);
    const context = this.contextOf(run, texts);
    if (context === undefined) return JSON.stringify(head);
    const text = `{"context":${context},${JSON.stringify(head).slice(1)}`;
    // beyond the limit without the context: its values are rows already
    return Buffer.byteLength(text) <= most ? text : JSON.stringify(head);
  }

  /** Undefined if the application's serializer throws: the run has ended all the same. */
  private contextOf({ runId, executionId }: ActiveRun, texts: ReadonlyMap<string, string>): string | undefined {
    const { serializer } = this.flowcraft.runtime;
    try {
      return contextJson(texts, { _executionId: executionId }, { codec: this.sources.codec, serializer });
    } catch (error) {
      this.logger.warn('runtime.serializer threw at the result of a run, which is kept without its context.', {
        runId,
        error,
      });
      return undefined;
    }
  }
}
