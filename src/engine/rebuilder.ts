import { chunksOf } from '../core/chunks.js';
import { givenBy, newest } from '../core/given-values.js';
import { journalOrder } from '../core/journal-order.js';
import type { LedgerState } from '../core/ledger-state.js';
import { replayJournal } from '../core/replay.js';
import { restamp, type RestampedTurn } from '../core/restamp.js';
import { retractionOf, tornRows } from '../core/torn-rows.js';
import { applyRetry, type RetryRecord } from '../core/retry.js';
import { isEndStatus, type TurnName, type TurnRecord } from '../core/run.js';
import { delay, type Clock, type Ids } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore, StoredValue } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Finisher } from './finisher.js';
import { openedStatus } from './opened-status.js';
import type { Persistence } from './persistence.js';
import { publishTurns } from './turn-jobs.js';

const LOCK_MS = 10_000;
const REWRITES_AT_ONCE = 16;

export interface RebuilderParts {
  readonly ledger: Ledger;
  readonly store: RunStore;
  readonly queue: JobQueue;
  readonly finisher: Finisher;
  readonly persistence: Persistence;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly worker: string;
  readonly options: EngineOptions;
}

/** Derives the ledger of a run anew from its journal, when the ledger has lost it or part of it. */
export class Rebuilder {
  /** Rebuilds under way here, by run: hundreds of turns of one run may find at once that it is gone. */
  private readonly underWay = new Map<string, Promise<LedgerState | undefined>>();
  private begun = 0;
  /** Told of each turn that waits in a run that was rebuilt. */
  onWaiting: ((run: ActiveRun, name: TurnName) => Promise<void>) | undefined;

  constructor(private readonly parts: RebuilderParts) {}

  /**
   * Returns when the ledger has a state for the run: the one that was made here, undefined if it is another worker's.
   * @param incarnation the state that is known to be wrong
   * @param graceMs for so long what is open is left to executors that may be alive; default: a lease
   */
  rebuild(
    run: ActiveRun,
    incarnation?: string,
    graceMs = this.parts.options.worker.leaseMs,
  ): Promise<LedgerState | undefined> {
    const { runId } = run;
    const others = this.underWay.get(runId);
    if (others) return others;
    const own = this.rebuildOnce(run, incarnation, graceMs).finally(() => this.ended(runId, own));
    this.underWay.set(runId, own);
    return own;
  }

  private async rebuildOnce(
    run: ActiveRun,
    incarnation: string | undefined,
    graceMs: number,
  ): Promise<LedgerState | undefined> {
    const { persistence, clock, ids } = this.parts;
    const { runId } = run;
    const lock = new RebuildLock(this.parts, runId, `${this.parts.worker}/rebuild${(this.begun += 1)}`);
    let made: LedgerState | undefined;
    for (let tried = false; ;) {
      const taken = await persistence.until(() => lock.take(incarnation), { runId });
      if (taken === 'wait') {
        await delay(clock, 50 + ids.random() * 100);
        continue;
      }
      if (taken === 'locked') {
        tried = true;
        made = await persistence.until(() => this.install(run, lock, graceMs), { runId });
        if (!made) continue;
      }
      // from here on a turn that this state does not know is a matter for a rebuild of its own
      this.underWay.delete(runId);
      // a state that is there although it was not said so may be the one from here
      if (tried) await persistence.until(() => this.announce(run), { runId });
      return made;
    }
  }

  private ended(runId: string, own: Promise<unknown>): void {
    if (this.underWay.get(runId) === own) this.underWay.delete(runId);
  }

  private async install(run: ActiveRun, lock: RebuildLock, graceMs: number): Promise<LedgerState | undefined> {
    const { store, ledger, logger, options } = this.parts;
    const { runId, plan } = run;
    const [record, [all, stored]] = await Promise.all([store.run(runId), this.recorded(runId)]);
    const torn = tornRows(plan, all, stored);
    for (const row of torn) {
      const { values: left, stamp } = retractionOf(row, stored, run.base);
      if (left.length > 0) await store.writeValues(runId, left, stamp);
    }
    const whole = all.filter((row) => !torn.includes(row));
    const kept = stored.filter((value) => !torn.some((row) => row.token === value.stamp));
    const retry = record?.retry;
    const { rows, values } = retry ? applyRetry(plan, retry, whole, kept, run.base) : { rows: whole, values: kept };
    const foreign = all.length === 0 ? await store.foreign(runId) : undefined;
    const stamps = [...all.map((row) => row.token), ...stored.map((value) => value.stamp), foreign?.stamp ?? 0];
    const first = stamps.reduce(
      (highest, stamp) => Math.max(highest, stamp + 1),
      Math.max(lock.takenAt, retry?.stamp ?? 0),
    );
    // before the rows: what is half done must not look as if it were patched
    if (retry) await this.patch(runId, retry, stored, first + rows.length);
    const restamped = restamp(rows, values, first, journalOrder(plan, rows).late);
    if (!(await this.rewrite(runId, restamped, lock))) return undefined;
    const state = replayJournal(
      plan,
      restamped.map(({ record: row }) => row),
      {
        token: first + rows.length,
        now: lock.takenAt,
        // nobody is at work on a foreign client's run that is only being adopted
        graceMs: rows.length === 0 && foreign?.data !== undefined ? 0 : graceMs,
        maxTurns: options.limits.maxTurnsPerRun,
        startAt: record?.options?.startAt,
      },
    );
    if (record?.retries) state.set('z', String(record.retries));
    if (record && isEndStatus(record.status)) state.close(record.status);
    // first, so that the run is found again if this process is lost with the state in place
    await ledger.touch([runId]);
    if (!(await ledger.install(runId, state, lock.current))) return undefined;
    logger.log(`Rebuilt the ledger of a run from ${rows.length} journal rows.`, { runId });
    return state;
  }

  /** Rows and values as of one moment: a row without its values, or values without their row, would be put in the wrong order. */
  private async recorded(runId: string): Promise<[TurnRecord[], StoredValue[]]> {
    const { store } = this.parts;
    for (;;) {
      const rows = await store.turns(runId);
      const values = newest(await store.ownValues(runId), rows.flatMap(givenBy));
      const later = await store.turns(runId, false);
      const tokens = new Set(rows.map((row) => row.token));
      if (later.length === rows.length && later.every((row) => tokens.has(row.token))) return [rows, values];
    }
  }

  /** What a retry put into the context lies over all that earlier attempts wrote there. */
  private async patch(runId: string, retry: RetryRecord, stored: readonly StoredValue[], stamp: number): Promise<void> {
    const due = Object.entries(retry.patch).filter(([key]) =>
      stored.every((value) => value.key !== key || value.stamp < retry.stamp),
    );
    const values = due.map(([key, value]) => ({ key, value }));
    if (values.length > 0) await this.parts.store.writeValues(runId, values, stamp);
  }

  /** What was queued in the lost ledger, or continued on a worker that is gone, may have no message that leads to it. */
  private async announce(run: ActiveRun): Promise<void> {
    const { store, ledger, queue, finisher } = this.parts;
    const { runId } = run;
    const [record, state] = await Promise.all([store.run(runId), ledger.read(runId)]);
    if (record) await finisher.complete(run, record);
    if (record?.status !== 'running') return;
    if (record.retry) await store.writeStatus(openedStatus(record, record.retry, this.parts.clock.now()));
    const current = record.retries === run.record.retries ? run : { ...run, record };
    const turns = state.turns();
    for (const { node, turn, state: is } of turns)
      if (is === 'W') await this.onWaiting?.(current, { nodeId: node, turn });
    const open = turns.filter((turn) => turn.state === 'C' || turn.state === 'R');
    await publishTurns(queue, current, open, { areOpen: true });
    await ledger.sent(runId, open);
  }

  /** False: the lock was lost on the way. */
  private async rewrite(runId: string, turns: readonly RestampedTurn[], lock: RebuildLock): Promise<boolean> {
    for (const some of chunksOf(turns, REWRITES_AT_ONCE)) {
      if (!(await lock.extend())) return false;
      await Promise.all(some.map((turn) => this.parts.store.write({ runId, ...turn })));
    }
    return lock.extend();
  }
}

/** The right to rebuild one run, taken under a name of its own and extended for as long as the rebuild takes. */
class RebuildLock {
  /** What the ledger knows the lock by. */
  current = '';
  /** Microseconds, the ledger's time. */
  takenAt = 0;
  private extendedAt = 0;

  constructor(
    private readonly parts: RebuilderParts,
    private readonly runId: string,
    private readonly owner: string,
  ) {}

  async take(incarnation: string | undefined): Promise<'locked' | 'wait' | 'exists'> {
    const { ledger, clock } = this.parts;
    const askedAt = clock.now();
    const answer = await ledger.lock(this.runId, this.owner, LOCK_MS, incarnation);
    if (answer.kind !== 'locked') return answer.kind;
    this.current = answer.lock;
    this.takenAt = answer.now;
    this.extendedAt = askedAt;
    return 'locked';
  }

  async extend(): Promise<boolean> {
    const { ledger, clock } = this.parts;
    const askedAt = clock.now();
    if (askedAt - this.extendedAt < LOCK_MS / 3) return true;
    const answer = await ledger.lock(this.runId, this.owner, LOCK_MS);
    if (answer.kind !== 'locked') return false;
    this.current = answer.lock;
    this.extendedAt = askedAt;
    return true;
  }
}
