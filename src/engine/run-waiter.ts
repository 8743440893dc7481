import { LRUCache } from 'lru-cache';
import { RunNotFoundError, UnavailableError } from '../core/errors.js';
import { isEndStatus, type RunStatus } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunSignals } from '../ports/run-signals.js';
import type { RunStore, StatusRow } from '../ports/run-store.js';
import { closedError } from './client-calls.js';

export interface WaitOptions {
  /** Milliseconds; default 60000. */
  readonly timeoutMs?: number;
  /** `settled` also returns when the run awaits something. Default `finished`. */
  readonly until?: 'finished' | 'settled';
  /** Ends the wait with the signal's reason. The run goes on. */
  readonly signal?: AbortSignal;
}

export interface WaitEnd {
  readonly status: RunStatus;
  readonly row: StatusRow | undefined;
  readonly timedOut: boolean;
}

/** Thousands may wait at a time, and an announcement is seldom lost. */
const FIRST_POLL_MS = 1_000;
const POLL_GROWTH = 2;
const LONGEST_POLL_MS = 8_000;
const STARTS_KEPT = 10_000;

/** Waits for the end of runs: woken by announcements, and asking the store now and then since those can be lost. */
export class RunWaiter {
  /** Who waits for which run, woken by what is announced of it. */
  private readonly wakes = new Map<string, Set<() => void>>();
  /** Runs that were started here lately and of which nothing was announced yet, and when that was. */
  private readonly quiet = new LRUCache<string, number>({ max: STARTS_KEPT });

  constructor(
    private readonly store: RunStore,
    private readonly ledger: Pick<Ledger, 'read'>,
    private readonly signals: RunSignals,
    private readonly clock: Clock,
    /** Aborted when the application closes: whoever waits is told so. */
    private readonly leaving: AbortSignal,
  ) {
    leaving.addEventListener('abort', () => this.wakeAll());
  }

  /** Listens to announcements until the returned function is called. */
  listen(): () => void {
    const endEnds = this.signals.onEnd(({ runId }) => {
      this.quiet.delete(runId);
      for (const wake of this.wakes.get(runId) ?? []) wake();
    });
    const endGaps = this.signals.onGap(() => this.wakeAll());
    return () => {
      endEnds();
      endGaps();
    };
  }

  /** A run is about to be started here under an id that is new: whatever is announced of it from now on is heard. */
  expect(runId: string): void {
    this.quiet.set(runId, this.clock.now());
  }

  /**
   * Resolves with the status row once it is what was waited for, or with the last one on a timeout. A server that is
   * away meanwhile only delays the answer.
   * @throws RunNotFoundError
   * @throws ClosedError when the application closes and the run has not ended by then
   * @throws UnavailableError if a server is away at the end of the time
   */
  async wait(runId: string, options: WaitOptions): Promise<WaitEnd> {
    const { timeoutMs = 60_000, until = 'finished', signal } = options;
    const deadline = this.clock.now() + timeoutMs;
    const alarm = new Alarm(this.clock);
    const ring = () => alarm.ring();
    const unsubscribe = this.subscribe(runId, ring);
    signal?.addEventListener('abort', ring);
    try {
      if (this.leaving.aborted) throw closedError({ runId });
      signal?.throwIfAborted();
      await alarm.orAfter(Math.min(this.untilLikely(runId), timeoutMs));
      for (let poll = FIRST_POLL_MS; ; poll = Math.min(poll * POLL_GROWTH, LONGEST_POLL_MS)) {
        signal?.throwIfAborted();
        // the run may have ended while the application drained
        const isLast = this.leaving.aborted;
        const seen = await this.look(runId).catch((error: unknown) =>
          isLast ? undefined : awayUntil(deadline - this.clock.now(), error),
        );
        const { status, row } = seen ?? { status: undefined, row: undefined };
        if (status !== undefined && isEndStatus(status)) return { status, row, timedOut: false };
        if (until === 'settled' && status === 'awaiting' && (await this.isAtRest(runId)))
          return { status, row, timedOut: false };
        if (isLast) throw closedError({ runId });
        const left = deadline - this.clock.now();
        if (left <= 0 && status !== undefined) return { status, row, timedOut: true };
        await alarm.orAfter(Math.min(poll, left));
      }
    } finally {
      unsubscribe();
      signal?.removeEventListener('abort', ring);
    }
  }

  private wakeAll(): void {
    this.quiet.clear();
    for (const wakes of this.wakes.values()) for (const wake of wakes) wake();
  }

  /** Of a run that has just been started here and of which nothing is announced, the store has no news. */
  private untilLikely(runId: string): number {
    const age = this.clock.now() - (this.quiet.get(runId) ?? -Infinity);
    return age < 0 ? 0 : FIRST_POLL_MS - age;
  }

  private subscribe(runId: string, wake: () => void): () => void {
    const others = this.wakes.get(runId);
    const wakes = others ?? new Set<() => void>();
    if (!others) this.wakes.set(runId, wakes);
    wakes.add(wake);
    return () => {
      wakes.delete(wake);
      if (wakes.size === 0) this.wakes.delete(runId);
    };
  }

  /** The status row is the last thing that the end of a run writes: once it tells of the end, all of it is there. */
  private async look(runId: string): Promise<{ status: RunStatus; row: StatusRow | undefined }> {
    const row = await this.store.status(runId);
    if (row) return { status: row.status, row };
    if (!(await this.store.run(runId))) throw new RunNotFoundError(runId);
    return { status: 'running', row };
  }

  /**
   * Whether a run waits whose status row says so. What ends a wait is in the ledger, its own or that of a subflow, a
   * moment before the row tells that the run works again, or has ended.
   */
  private async isAtRest(runId: string): Promise<boolean> {
    try {
      const state = await this.ledger.read(runId);
      if (state.fields.size === 0) return true; // the row is what there is
      const { open, awaiting } = state.counts();
      if (open > 0 || awaiting === 0 || state.get('x') !== undefined) return false;
      const rows = await this.store.turns(runId, false);
      const children = rows.flatMap((row) => (row.status === 'awaiting' ? (row.awaiting?.childRunId ?? []) : []));
      const waits = await Promise.all(children.map((child) => this.waits(child)));
      return waits.every(Boolean);
    } catch (error) {
      if (error instanceof UnavailableError) return true;
      throw error;
    }
  }

  private async waits(runId: string): Promise<boolean> {
    return (await this.store.status(runId))?.status === 'awaiting' && this.isAtRest(runId);
  }
}

/** Wakes who sleeps, or who is about to: a ring before the sleep counts. */
class Alarm {
  private hasRung = false;
  private wake = () => {};

  constructor(private readonly clock: Clock) {}

  ring(): void {
    this.hasRung = true;
    this.wake();
  }

  /** Resolves when it rings, or `ms` later. */
  async orAfter(ms: number): Promise<void> {
    if (!this.hasRung && ms > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.clock.after(ms, resolve);
        this.wake = () => {
          cancel();
          resolve();
        };
      });
    }
    this.hasRung = false;
    this.wake = () => {};
  }
}

/** Passes over a server that is away while there is time left. */
function awayUntil(leftMs: number, error: unknown): undefined {
  if (!(error instanceof UnavailableError) || leftMs <= 0) throw error;
  return undefined;
}
