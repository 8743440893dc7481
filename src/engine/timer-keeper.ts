import { UnavailableError } from '../core/errors.js';
import { timerKey, type Timer } from '../core/timer.js';
import type { Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { TimerIndex, TimerRows } from '../ports/timers.js';
import type { Persistence } from './persistence.js';

/**
 * What came of a timer that was due. `fired`: what it was for is done. `over`: there is nothing left for it to do.
 * `early`: what it is for has not been recorded yet. `later`: it has to be tried again.
 */
export type Firing = 'fired' | 'over' | 'early' | 'later';

export interface TimerKeeperParts {
  readonly rows: TimerRows;
  readonly index: TimerIndex;
  readonly ledger: Ledger;
  readonly persistence: Persistence;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly worker: string;
  readonly fire: (timer: Timer) => Promise<Firing>;
}

/** A timer that another process has set is noticed after so long at the latest. */
const POLL_MS = 1_000;
/** Not sooner, however soon the next one is due. */
const SHORTEST_MS = 5;
const TAKEN_AT_ONCE = 200;
/** No more are taken while so many are being fired here. */
const MOST_UNDER_WAY = 500;
/** A timer that this process has taken is given to another after so long. */
const HOLD_MS = 10_000;
const TEND_MS = 60_000;
const TEND_LEASE_MS = 90_000;
/** The index holds what is due so soon; what is due later stays in its row until then. */
const AHEAD_MS = 15 * 60_000;
const FAR_MS = 2 * AHEAD_MS;
/** What is overdue for longer has been lost by the index. */
const OVERDUE_MS = 30_000;
const SLICE_MS = 10 * 60_000;
const ADDED_AT_ONCE = 500;

/**
 * Fires timers when they are due. Their rows are the truth and are written first; the index tells what is due soon, and
 * is filled again from the rows when it has lost something. Any number of processes may do this at once: each timer is
 * given to one of them, and what firing does is safe to repeat.
 */
export class TimerKeeper {
  private readonly underWay = new Map<string, Promise<void>>();
  private tending: Promise<void> | undefined;
  private tendedAt = 0;
  private polling: Promise<void> | undefined;
  private nextPoll: { readonly at: number; readonly cancel: () => void } | undefined;
  private running = false;

  constructor(private readonly parts: TimerKeeperParts) {}

  /** Makes a timer durable. Comes before the fact that needs it, so that no crash leaves the fact without its timer. */
  async record(timer: Timer): Promise<void> {
    await this.parts.persistence.until(() => this.parts.rows.add(timer), { runId: timer.runId });
  }

  /** Lets a recorded timer fire. Comes after the fact that needs it; repeating it is harmless. */
  async arm(timer: Timer): Promise<void> {
    const { clock, index, persistence } = this.parts;
    if (timer.due > clock.now() + FAR_MS) return;
    await persistence.until(() => index.add([timer]), { runId: timer.runId });
    this.pollAt(timer.due);
  }

  start(): void {
    this.running = true;
    this.pollAt(0);
  }

  /** Takes no further timer; resolves when those being fired here are done. */
  async stop(): Promise<void> {
    this.running = false;
    this.nextPoll?.cancel();
    this.nextPoll = undefined;
    await this.polling;
    await Promise.allSettled([...this.underWay.values(), this.tending]);
  }

  private pollAt(moment: number): void {
    const { clock } = this.parts;
    const at = Math.max(moment, clock.now() + SHORTEST_MS);
    if (!this.running || this.polling || (this.nextPoll && this.nextPoll.at <= at)) return;
    this.nextPoll?.cancel();
    const cancel = clock.after(at - clock.now(), () => {
      this.nextPoll = undefined;
      this.polling = this.poll().then((pause) => {
        this.polling = undefined;
        this.pollAt(clock.now() + pause);
      });
    });
    this.nextPoll = { at, cancel };
  }

  /** Answers after how long to look again. */
  private async poll(): Promise<number> {
    const { index, clock, logger } = this.parts;
    if (this.underWay.size >= MOST_UNDER_WAY) return POLL_MS;
    try {
      const { due, nextInMs = POLL_MS, knownUntil } = await index.take(TAKEN_AT_ONCE, HOLD_MS);
      for (const timer of due) this.handle(timer);
      const now = clock.now();
      if (knownUntil < now + AHEAD_MS / 2 || now - this.tendedAt >= TEND_MS) this.tend(knownUntil);
      return Math.min(POLL_MS, nextInMs);
    } catch (error) {
      if (!(error instanceof UnavailableError)) logger.error('Due timers could not be taken.', { error });
      return POLL_MS;
    }
  }

  private handle(timer: Timer): void {
    const key = timerKey(timer);
    if (this.underWay.has(key)) return;
    const work = this.carryOut(timer)
      .catch((error: unknown) => {
        const { runId, nodeId, turn } = timer;
        this.parts.logger.warn('A timer could not be fired; it is tried again.', { runId, nodeId, turn, error });
      })
      .finally(() => this.underWay.delete(key));
    this.underWay.set(key, work);
  }

  private async carryOut(timer: Timer): Promise<void> {
    const { rows, index, fire, persistence } = this.parts;
    const firing = await fire(timer);
    if (firing === 'later') return;
    if (firing !== 'early') await persistence.until(() => rows.finish(timer), { runId: timer.runId });
    await persistence.until(() => index.remove([timer]), { runId: timer.runId });
    // who recorded meanwhile what this is for has found it in the index, and relies on that
    if (firing === 'early' && (await fire(timer)) !== 'early') await this.arm(timer);
  }

  /** Brings the index up to date with the rows. One process of the fleet does so at a time. */
  private tend(knownUntil: number): void {
    if (this.tending) return;
    const { clock, logger } = this.parts;
    this.tendedAt = clock.now();
    this.tending = this.tendOnce(knownUntil)
      .catch((error: unknown) => {
        if (!(error instanceof UnavailableError)) logger.error('The timers could not be looked through.', { error });
        this.tendedAt = 0;
      })
      .finally(() => (this.tending = undefined));
  }

  private async tendOnce(knownUntil: number): Promise<void> {
    const { rows, index, ledger, clock, worker } = this.parts;
    if (!(await ledger.elect('timers', worker, TEND_LEASE_MS))) return;
    const now = clock.now();
    const overdue = now - OVERDUE_MS;
    const from = await rows.doneBefore();
    if (from < overdue) await rows.setDoneBefore(await this.fill(from, overdue));
    const ahead = now + AHEAD_MS;
    await this.fill(Math.max(overdue, knownUntil), ahead);
    await index.setKnownUntil(ahead);
  }

  /** Adds what the rows hold for a span of time. Answers when the first of it is due, or the end of the span. */
  private async fill(from: number, to: number): Promise<number> {
    const { rows, index } = this.parts;
    let first = to;
    for (let start = from; start < to; start += SLICE_MS) {
      const pending = await rows.pending(start, Math.min(start + SLICE_MS, to));
      for (let i = 0; i < pending.length; i += ADDED_AT_ONCE) await index.add(pending.slice(i, i + ADDED_AT_ONCE));
      for (const { due } of pending) first = Math.min(first, due);
    }
    return first;
  }
}
