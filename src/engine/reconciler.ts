import { chunksOf } from '../core/chunks.js';
import { LRUCache } from 'lru-cache';
import type { LedgerState } from '../core/ledger-state.js';
import { decodeRunCursor } from '../core/run-cursor.js';
import { isEndStatus } from '../core/run.js';
import { delay, type Clock } from '../ports/clock.js';
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

export interface ReconcilerParts {
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly runs: ActiveRuns;
  readonly finisher: Finisher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly worker: string;
  readonly options: EngineOptions;
}

const CURSOR = 'sweep';
const SWEEP_LEASE_MS = 30_000;
/** The replicas of a fleet sweep at about the same times: one of them does for all. */
const SCHEDULE_LEASE_MS = 30_000;
const RENEW_MS = 10_000;
/** What is left after so long is left to the next sweep. */
const LONGEST_SWEEP_MS = 45_000;
/** Servers that take longer are away: the sweep ends, and the next one tries again. */
const LONGEST_ASK_MS = 5_000;
const ASKED_AT_ONCE = 16;
const INDEX_PAGE = 500;
/** Most entries of the index are of runs that have ended: so many are looked at for each run that may be asked. */
const ENTRIES_PER_ASK = 5;
const INDEX_DAYS_MS = 30 * 24 * 3_600_000;
const LONGEST_BACKOFF_MS = 3_600_000;
const FAILURES_KEPT = 10_000;
const NAMED_IN_LOG = 10;

/**
 * Finds runs that do not move and asks for them with a probe. One sweep at a time in the fleet; the others answer with
 * zeros. The ledger's idle list is the fast way. The index of all runs finds what the ledger has forgotten: each sweep
 * reads on where the last one of the fleet ended, so that all are seen however many there are; then it rests for the
 * threshold. Its place is kept in the ledger: if that is lost, the newest runs come first again.
 */
export class Reconciler {
  /** Runs that could not be asked: how often in a row, and when they are asked again. Milliseconds. */
  private readonly failures = new LRUCache<string, { count: number; until: number }>({ max: FAILURES_KEPT });

  constructor(private readonly parts: ReconcilerParts) {}

  /**
   * `alone` false: sweeps even if another does so at this time, which is harmless. `byClock`: not if another replica has
   * done so lately. `seen` gets the runs that stalled.
   */
  async sweep(
    stalledThresholdSeconds = this.parts.options.reconciler.stalledThresholdSeconds,
    { alone = true, byClock = false, seen }: { alone?: boolean; byClock?: boolean; seen?: Set<string> } = {},
  ): Promise<ReconciliationStats> {
    const { ledger, worker } = this.parts;
    const stats: ReconciliationStats = { stalledRuns: 0, reconciledRuns: 0, failedRuns: 0 };
    if (byClock && !(await ledger.elect('sweep-times', worker, SCHEDULE_LEASE_MS))) return stats;
    if (alone && !(await ledger.elect('sweep', worker, SWEEP_LEASE_MS))) return stats;
    try {
      await this.sweepAll(stats, stalledThresholdSeconds, alone, seen);
    } finally {
      if (alone) await this.letOthersSweep();
    }
    return stats;
  }

  private async sweepAll(
    stats: ReconciliationStats,
    stalledThresholdSeconds: number,
    alone: boolean,
    seen: Set<string> | undefined,
  ): Promise<void> {
    const { ledger, clock, logger, options } = this.parts;
    const { maxRunsPerSweep } = options.reconciler;
    const now = clock.now();
    const sweep: Sweep = {
      alone,
      thresholdMs: stalledThresholdSeconds * 1000,
      seen: seen ?? new Set(),
      stats,
      left: maxRunsPerSweep,
      endsAt: now + LONGEST_SWEEP_MS,
      renewedAt: now,
    };
    // a part is kept for the index: a list that is always full must not hide what is not on it
    const idle = await ledger.idle(sweep.thresholdMs, Math.ceil((maxRunsPerSweep * 3) / 4));
    await this.askAll(idle, sweep);
    await this.searchIndex(sweep);
    if (stats.stalledRuns > 0) {
      logger.log(
        `Sweep: ${stats.stalledRuns} stalled, ${stats.reconciledRuns} asked to go on, ${stats.failedRuns} failed.`,
      );
    }
  }

  private async letOthersSweep(): Promise<void> {
    const { ledger, logger, worker } = this.parts;
    try {
      await ledger.resign('sweep', worker);
    } catch (error) {
      logger.debug('The end of a sweep could not be told; others wait for its lease to end.', { error });
    }
  }

  /** Sends a probe for one run. False: the run has ended, or does not exist. */
  async askRun(runId: string): Promise<boolean> {
    const { store, runs, finisher, ledger, queue } = this.parts;
    const run = await store.run(runId);
    if (!run || run.status !== 'running') {
      const ended = run && (await runs.find(runId));
      if (run && ended) await finisher.complete(ended, run);
      await ledger.forget(runId);
      return false;
    }
    // noted before the probe: what it wakes may end the run
    await ledger.touch([runId]);
    await queue.publish({ runId, blueprintId: run.blueprintId, nodeId: '', probe: true });
    return true;
  }

  private async askAll(runIds: readonly string[], sweep: Sweep): Promise<void> {
    const due = runIds.filter((runId) => !sweep.seen.has(runId)).slice(0, sweep.left);
    for (let at = 0; at < due.length && (await this.goesOn(sweep)); at += ASKED_AT_ONCE) {
      const failed = sweep.stats.failedRuns;
      await Promise.all(due.slice(at, at + ASKED_AT_ONCE).map((runId) => this.ask(runId, sweep)));
      // that is no fault of the runs
      if (sweep.stats.failedRuns - failed === ASKED_AT_ONCE) sweep.endsAt = 0;
    }
  }

  /** False: the time of this sweep is over, the servers are away, or another process sweeps now. */
  private async goesOn(sweep: Sweep): Promise<boolean> {
    const { clock, ledger, worker } = this.parts;
    const now = clock.now();
    if (now >= sweep.endsAt) return false;
    if (!sweep.alone || now - sweep.renewedAt < RENEW_MS) return true;
    sweep.renewedAt = now;
    return ledger.elect('sweep', worker, SWEEP_LEASE_MS);
  }

  private async ask(runId: string, sweep: Sweep): Promise<void> {
    const { clock, logger } = this.parts;
    const { stats } = sweep;
    sweep.seen.add(runId);
    if ((this.failures.get(runId)?.until ?? 0) > clock.now()) return;
    try {
      const isStalled = await this.inTime(this.askRun(runId), sweep);
      this.failures.delete(runId);
      if (!isStalled) return;
      sweep.left--;
      stats.reconciledRuns++;
      if ((stats.stalledRuns += 1) <= NAMED_IN_LOG)
        logger.warn('A run made no progress; asked it to go on.', { runId });
    } catch (error) {
      sweep.left--;
      stats.stalledRuns++;
      stats.failedRuns++;
      await this.backOff(runId, error, sweep);
    }
  }

  /** A queue that is away keeps what it is given until it is back: nobody waits for that here. */
  private async inTime<T>(work: Promise<T>, sweep: Sweep): Promise<T> {
    const { clock, logger } = this.parts;
    const over = new AbortController();
    const late = delay(clock, LONGEST_ASK_MS, over.signal).then((): typeof LATE => LATE);
    try {
      const answer = await Promise.race([work, late]);
      if (answer !== LATE) return answer;
      work.catch((error: unknown) => logger.debug('A run that was asked late failed.', { error }));
      sweep.endsAt = 0;
      throw new Error(`No server took the question within ${LONGEST_ASK_MS} ms.`);
    } finally {
      over.abort();
    }
  }

  /** So that a run that fails each time does not take the place of others. */
  private async backOff(runId: string, error: unknown, { thresholdMs }: Sweep): Promise<void> {
    const { clock, ledger, logger } = this.parts;
    const count = (this.failures.get(runId)?.count ?? 0) + 1;
    const waitMs = Math.min(Math.max(LONGEST_BACKOFF_MS, thresholdMs), thresholdMs * 2 ** Math.min(count - 1, 20));
    this.failures.set(runId, { count, until: clock.now() + waitMs });
    logger.error(
      `A stalled run could not be asked to go on (time ${count} in a row); it is tried again in ${Math.round(waitMs / 1000)} s.`,
      { runId, error },
    );
    try {
      await ledger.touch([runId], waitMs - thresholdMs);
    } catch (reason) {
      logger.debug('A run that failed could not be put back.', { runId, error: reason });
    }
  }

  /**
   * Runs that have ended without anybody having said so, and running ones that nobody watches although they have
   * something to do: the ledger was lost, they never got that far, or the answer that they waited for was lost with
   * whoever gave it, or with the ledger's latest writes.
   */
  private async searchIndex(sweep: Sweep): Promise<void> {
    const { store, ledger, clock } = this.parts;
    const now = clock.now();
    let place = placeOf(await ledger.cursor(CURSOR));
    if (sweep.alone && place.roundEndedAt !== undefined && now - place.roundEndedAt < sweep.thresholdMs) return;
    for (
      let entries = this.parts.options.reconciler.maxRunsPerSweep * ENTRIES_PER_ASK;
      entries > 0 && sweep.left > 0 && (await this.goesOn(sweep));
    ) {
      const page = await store.list({
        from: now - INDEX_DAYS_MS,
        to: now - sweep.thresholdMs,
        limit: Math.min(INDEX_PAGE, entries, sweep.left),
        ...(place.cursor === undefined ? {} : { cursor: place.cursor }),
      });
      await this.askAll(await this.forgotten(page.runIds, now), sweep);
      // after the page: a process that is lost leaves it to the next one
      place = page.cursor === undefined ? { roundEndedAt: now } : { cursor: page.cursor };
      await ledger.setCursor(CURSOR, JSON.stringify(place));
      if (page.cursor === undefined) return;
      entries -= page.runIds.length;
    }
  }

  private async forgotten(runIds: readonly string[], now: number): Promise<string[]> {
    const { store, ledger, logger } = this.parts;
    const isForgotten = async (runId: string) => {
      try {
        const run = await store.run(runId);
        if (!run) return false;
        if (isEndStatus(run.status)) return !isEndStatus((await store.status(runId))?.status ?? '');
        // a subflow that nobody knows of any more
        if (run.parent && isEndStatus((await store.run(run.parent.runId))?.status ?? 'running')) return true;
        const state = await ledger.read(runId);
        return state.fields.size === 0 || isStranded(state, now * 1000) || (await this.isBehind(runId, state));
      } catch (error) {
        // counted and put back when it is asked
        logger.debug('A run of the index could not be looked at.', { runId, error });
        return true;
      }
    };
    const found: string[] = [];
    for (const some of chunksOf(runIds, ASKED_AT_ONCE)) {
      const answers = await Promise.all(some.map(isForgotten));
      found.push(...some.filter((_, i) => answers[i]));
    }
    return found;
  }

  private async isBehind(runId: string, state: LedgerState): Promise<boolean> {
    const { open, awaiting } = state.counts();
    return open === 0 && awaiting > 0 && isBehind(state, await this.parts.store.turns(runId, false));
  }
}

/** One sweep as it goes on. */
interface Sweep {
  readonly alone: boolean;
  readonly thresholdMs: number;
  readonly seen: Set<string>;
  readonly stats: ReconciliationStats;
  /** How many runs may still be asked. */
  left: number;
  endsAt: number;
  renewedAt: number;
}

const LATE: unique symbol = Symbol('late');

interface IndexPlace {
  readonly cursor?: string;
  /** When the index had been read to its end. Milliseconds. */
  readonly roundEndedAt?: number;
}

/** What is no place of ours is the beginning. */
function placeOf(text: string | undefined): IndexPlace {
  try {
    const { cursor, roundEndedAt } = JSON.parse(text ?? '{}') as IndexPlace;
    if (typeof roundEndedAt === 'number') return { roundEndedAt };
    if (typeof cursor !== 'string') return {};
    decodeRunCursor(cursor);
    return { cursor };
  } catch {
    return {};
  }
}
