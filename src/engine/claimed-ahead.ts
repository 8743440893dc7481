import { groupBy } from '../core/group-by.js';
import type { TurnRef } from '../core/ledger-calls.js';
import type { Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { ActiveRun } from './active-run.js';
import type { Persistence } from './persistence.js';
import type { Permits } from './permits.js';
import { TimeLimit } from './time-limit.js';

/** A turn that waited here in vain: its message brings it to whoever has room. */
export class GivenBack extends Error {}

/** How many looks come in the time that a turn waits. */
const LOOKS = 4;
/** Where turns waited in vain, nodes are slow: for so many times the wait nothing is claimed ahead. */
const REST = 8;
/** A run that was seen to be open so lately is taken to be open: nodes of it that run hear of its end much later at times. */
const SEEN_MS = 500;
/** A ledger that does not answer is not waited for longer: the claims run out, or are taken over. */
const GIVING_BACK_MS = 1_000;

interface Waiting {
  readonly run: ActiveRun;
  readonly turn: TurnRef;
  readonly token: number;
  readonly since: number;
  readonly settle: (answer: 'certain' | 'doubtful' | 'given back') => void;
  readonly withdraw: () => void;
  isDoubtful: boolean;
}

export interface AheadParts {
  readonly ledger: Ledger;
  readonly permits: Permits;
  readonly persistence: Persistence;
  readonly clock: Clock;
  readonly logger: Logger;
  /** At most so many turns wait at a time. */
  readonly most: number;
  /** So long a turn waits; far less than a claim holds. 0: nothing is claimed ahead. */
  readonly waitMs: number;
  readonly stopping: AbortSignal;
}

/**
 * Turns that the settle which fired them claimed for this worker although no permit was free. Most get one within a
 * moment, and need no message, no further claim and nothing read then. One that does not is given back.
 */
export class ClaimedAhead {
  private readonly waiting = new Set<Waiting>();
  /** When each run was last seen to be open. */
  private readonly seen = new WeakMap<ActiveRun, number>();
  private readonly givingBack: TimeLimit;
  private promised = 0;
  private restUntil = 0;
  private cancelLook: (() => void) | undefined;

  constructor(private readonly parts: AheadParts) {
    this.givingBack = new TimeLimit(parts.clock, GIVING_BACK_MS);
    const stop = () => {
      this.cancelLook?.();
      void this.giveBack([...this.waiting]);
    };
    parts.stopping.addEventListener('abort', stop, { once: true });
  }

  /** How many of so many turns may be claimed ahead. Each is then either waited with, or handed back by `spare`. */
  reserve(wanted: number): number {
    const { most, waitMs, clock, stopping } = this.parts;
    if (waitMs === 0 || stopping.aborted || clock.now() < this.restUntil) return 0;
    const room = Math.max(0, Math.min(wanted, most - this.promised));
    this.promised += room;
    return room;
  }

  spare(count: number): void {
    this.promised -= count;
  }

  /**
   * Waits for a permit. False: the run may have ended meanwhile, or the claim be another's, so it has to be asked for anew.
   * @throws GivenBack if none came in time, or the worker stops: the claim is given up then
   */
  async permit(run: ActiveRun, turn: TurnRef, token: number): Promise<boolean> {
    const { permits, stopping } = this.parts;
    try {
      if (!stopping.aborted && permits.tryAcquire()) return true;
      const answer = await this.wait(run, turn, token);
      if (answer === 'given back') throw new GivenBack('No permit came in time.');
      return answer === 'certain';
    } finally {
      this.promised--;
    }
  }

  /** A turn of the run has settled just now. */
  sawOpen(run: ActiveRun): void {
    if (this.waiting.size > 0) this.seen.set(run, this.parts.clock.now());
  }

  /** The run has ended, or an earlier attempt of it has. */
  doubt(runId: string): void {
    for (const one of this.waiting) if (one.run.runId === runId) one.isDoubtful = true;
  }

  private wait(run: ActiveRun, turn: TurnRef, token: number): Promise<Parameters<Waiting['settle']>[0]> {
    const { permits, clock, stopping, waitMs } = this.parts;
    return new Promise((settle) => {
      const granted = () => {
        this.waiting.delete(own);
        settle(this.isCertain(own) ? 'certain' : 'doubtful');
      };
      const own: Waiting = {
        run,
        turn,
        token,
        since: clock.now(),
        settle,
        withdraw: permits.request(granted),
        isDoubtful: false,
      };
      this.waiting.add(own);
      if (stopping.aborted) void this.giveBack([own]);
      else this.cancelLook ??= clock.after(waitMs / LOOKS, this.look);
    });
  }

  private isCertain({ run, since, isDoubtful }: Waiting): boolean {
    const now = this.parts.clock.now();
    // a process that was paused finds its permits before its timers
    const isHeld = now - since <= this.parts.waitMs;
    return isHeld && !isDoubtful && now - Math.max(since, this.seen.get(run) ?? 0) <= SEEN_MS;
  }

  private readonly look = (): void => {
    this.cancelLook = undefined;
    const { clock, waitMs } = this.parts;
    const now = clock.now();
    const late = [...this.waiting].filter(({ since }) => now - since >= waitMs - waitMs / LOOKS);
    if (late.length > 0) this.restUntil = now + waitMs * REST;
    void this.giveBack(late);
    if (this.waiting.size > 0) this.cancelLook = clock.after(waitMs / LOOKS, this.look);
  };

  /** Never rejects. */
  private async giveBack(turns: readonly Waiting[]): Promise<void> {
    for (const one of turns) {
      this.waiting.delete(one);
      one.withdraw();
    }
    const byRun = groupBy(turns, ({ run }) => run.runId);
    await Promise.all([...byRun].map(([runId, ofRun]) => this.giveBackOf(runId, ofRun)));
  }

  private async giveBackOf(runId: string, turns: readonly Waiting[]): Promise<void> {
    const { ledger, persistence, logger } = this.parts;
    const claims = turns.map(({ turn: { node, turn }, token }) => ({ node, turn, token }));
    try {
      await this.givingBack.race(persistence.until(() => ledger.giveBack(runId, claims), { runId }));
    } catch (error) {
      logger.warn('Claims could not be given back.', { runId, error });
    }
    for (const { settle } of turns) settle('given back');
  }
}
