import type { Timer } from '../core/timer.js';

/**
 * The durable truth about timers. A timer is never deleted: it is marked as done, and forgotten long after it was due.
 * Every method is safe to repeat.
 */
export interface TimerRows {
  /** The timer is durable once this resolves. Adding one that is there, or done, changes nothing. */
  add(timer: Timer): Promise<void>;
  /** The timer has fired, or there is nothing left for it to do. */
  finish(timer: Timer): Promise<void>;
  /**
   * Timers that are not done and due at `from` or later, but before `to` (milliseconds), in no order. There can be many:
   * ask for some minutes at a time.
   */
  pending(from: number, to: number): Promise<readonly Timer[]>;
  /** All that was due before this moment is done: nobody needs to look there again. */
  doneBefore(): Promise<number>;
  /** Moves that moment; it never goes back. */
  setDoneBefore(moment: number): Promise<void>;
}

export interface DueTimers {
  /** Those that were due, by the index's own time. Nobody else gets them for the time asked for. */
  readonly due: readonly Timer[];
  /** Until the next one that the index knows; undefined if it knows none. */
  readonly nextInMs?: number;
  /** The index was told of all timers due before this moment (milliseconds); 0 if it has lost that knowledge. */
  readonly knownUntil: number;
}

/**
 * The fast way to the timers that are due soon. It can lose anything at any moment: `TimerRows` is the truth, and
 * `knownUntil` tells that it has to be read again.
 */
export interface TimerIndex {
  connect(): Promise<void>;
  close(): Promise<void>;
  /** Adds those that are not there yet. */
  add(timers: readonly Timer[]): Promise<void>;
  /** Takes at most about `limit` of those that are due. One that is not removed in `holdMs` is given to somebody again. */
  take(limit: number, holdMs: number): Promise<DueTimers>;
  remove(timers: readonly Timer[]): Promise<void>;
  setKnownUntil(moment: number): Promise<void>;
}
