import type { LedgerState } from '../core/ledger-state.js';
import { isEndStatus } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore } from '../ports/run-store.js';
import type { ActiveRuns } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Finisher } from './finisher.js';
import { isBehind, isStranded } from './stranded-runs.js';

/** What one sweep found; the counts of the adapter's page. */
export interface ReconciliationStats {
  /** Runs that made no progress for the threshold. */
  stalledRuns: number;
  /** Of these, runs that were asked to go on. */
  reconciledRuns: number;
  /** Of these, runs for which that failed. */
  failedRuns: number;
}

const SWEEP_LEASE_MS = 30_000;
const INDEX_PAGE = 500;
const INDEX_DAYS_MS = 30 * 24 * 3_600_000;

/**
 * Finds runs that do not move and asks for them with a probe. One sweep at a time in the fleet; the others answer with
 * zeros. The ledger's idle list is the fast way; the index of all runs, paged a bit further with each sweep, finds what
 * the ledger has forgotten.
 */
export class Reconciler {
  private cursor: string | undefined;

  constructor(
    private readonly store: RunStore,
    private readonly ledger: Ledger,
    private readonly queue: JobQueue,
    private readonly runs: ActiveRuns,
    private readonly finisher: Finisher,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly worker: string,
    private readonly options: EngineOptions,
  ) {}

  /** `alone` false: sweeps even if another does so at this time, which is harmless. `seen` gets the runs that stalled. */
  async sweep(
    stalledThresholdSeconds = this.options.reconciler.stalledThresholdSeconds,
    { alone = true, seen }: { alone?: boolean; seen?: Set<string> } = {},
  ): Promise<ReconciliationStats> {
    const stats: ReconciliationStats = { stalledRuns: 0, reconciledRuns: 0, failedRuns: 0 };
    if (alone && !(await this.ledger.elect('sweep', this.worker, SWEEP_LEASE_MS))) return stats;
    const thresholdMs = stalledThresholdSeconds * 1000;
    const limit = this.options.reconciler.maxRunsPerSweep;
    const idle = new Set(await this.ledger.idle(thresholdMs, limit));
    for (const runId of await this.forgotten(thresholdMs, Math.max(0, limit - idle.size))) idle.add(runId);
    for (const runId of idle) {
      seen?.add(runId);
      await this.ask(runId, stats);
    }
    if (stats.stalledRuns > 0) {
      this.logger.log(
        `Sweep: ${stats.stalledRuns} stalled, ${stats.reconciledRuns} asked to go on, ${stats.failedRuns} failed.`,
      );
    }
    return stats;
  }

  /** Sends a probe for one run. False: the run has ended, or does not exist. */
  async askRun(runId: string): Promise<boolean> {
    const run = await this.store.run(runId);
    if (!run || run.status !== 'running') {
      const ended = run && (await this.runs.find(runId));
      if (run && ended) await this.finisher.complete(ended, run);
      await this.ledger.forget(runId);
      return false;
    }
    // noted before the probe: what it wakes may end the run
    await this.ledger.touch([runId]);
    await this.queue.publish({ runId, blueprintId: run.blueprintId, nodeId: '', probe: true });
    return true;
  }

  private async ask(runId: string, stats: ReconciliationStats): Promise<void> {
    try {
      if (!(await this.askRun(runId))) return;
      stats.stalledRuns++;
      stats.reconciledRuns++;
      this.logger.warn('A run made no progress; asked it to go on.', { runId });
    } catch (error) {
      stats.stalledRuns++;
      stats.failedRuns++;
      this.logger.error('A stalled run could not be asked to go on; the next sweep tries again.', { runId, error });
    }
  }

  /**
   * Runs that have ended without anybody having said so, and running ones that nobody watches although they have
   * something to do: the ledger was lost, they never got that far, or the answer that they waited for was lost with
   * whoever gave it, or with the ledger's latest writes.
   */
  private async forgotten(thresholdMs: number, limit: number): Promise<string[]> {
    if (limit === 0) return [];
    const now = this.clock.now();
    const page = await this.store.list({
      from: now - INDEX_DAYS_MS,
      to: now - thresholdMs,
      limit: Math.min(limit, INDEX_PAGE),
      ...(this.cursor === undefined ? {} : { cursor: this.cursor }),
    });
    this.cursor = page.cursor;
    const found: string[] = [];
    for (const runId of page.runIds) {
      const run = await this.store.run(runId);
      if (!run) continue;
      if (isEndStatus(run.status)) {
        if (!isEndStatus((await this.store.status(runId))?.status ?? '')) found.push(runId);
        continue;
      }
      const state = await this.ledger.read(runId);
      if (state.fields.size === 0 || isStranded(state, now * 1000) || (await this.isBehind(runId, state)))
        found.push(runId);
    }
    return found;
  }

  private async isBehind(runId: string, state: LedgerState): Promise<boolean> {
    const { open, awaiting } = state.counts();
    return open === 0 && awaiting > 0 && isBehind(state, await this.store.turns(runId, false));
  }
}
