import type { TurnRef } from '../core/ledger-calls.js';
import type { Clock } from '../ports/clock.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { Persistence } from './persistence.js';
import type { Permits } from './permits.js';

/** A turn that waited here in vain: its message brings it to whoever has room. */
export class GivenBack extends Error {}

/** How many looks come in the time that a turn waits. */
const LOOKS = 4;
/** Where turns waited in vain, nodes are slow: for so many times the wait nothing is claimed ahead. */
const REST = 8;

interface Waiting {
  readonly runId: string;
  readonly turn: TurnRef;
  readonly token: number;
  readonly since: number;
  readonly settle: (isGranted: boolean) => void;
  /** False: the permit is granted already. */
  readonly withdraw: () => boolean;
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
  /** So long a turn waits. 0: nothing is claimed ahead. */
  readonly waitMs: number;
  readonly stopping: AbortSignal;
}

/**
 * Turns that the settle which fired them claimed for this worker although no permit was free. Most get one within a
 * moment, and need no message, no further claim and nothing read then. One that does not is given back.
 */
export class ClaimedAhead {
  private readonly waiting = new Set<Waiting>();
  private promised = 0;
  private restUntil = 0;
  private cancelLook: (() => void) | undefined;

  constructor(private readonly parts: AheadParts) {
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
   * Waits for a permit. False: the run may have ended meanwhile, so the claim has to be asked for anew.
   * @throws GivenBack if none came in time, or the worker stops: the claim is given up then
   */
  async permit(runId: string, turn: TurnRef, token: number): Promise<boolean> {
    const { permits, clock, stopping, waitMs } = this.parts;
    try {
      if (!stopping.aborted && permits.tryAcquire()) return true;
      let isDoubtful = false;
      const isGranted = await new Promise<boolean>((settle) => {
        const withdraw = permits.request(() => {
          this.waiting.delete(own);
          ({ isDoubtful } = own);
          settle(true);
        });
        const own: Waiting = { runId, turn, token, since: clock.now(), settle, withdraw, isDoubtful };
        this.waiting.add(own);
        if (stopping.aborted) void this.giveBack([own]);
        else this.cancelLook ??= clock.after(waitMs / LOOKS, this.look);
      });
      if (!isGranted) throw new GivenBack('No permit came in time.');
      return !isDoubtful;
    } finally {
      this.promised--;
    }
  }

  /** The run has ended, or an earlier attempt of it has. */
  doubt(runId: string): void {
    for (const one of this.waiting) if (one.runId === runId) one.isDoubtful = true;
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
    const byRun = new Map<string, Waiting[]>();
    for (const one of turns) {
      if (!this.waiting.delete(one) || !one.withdraw()) continue;
      const ofRun = byRun.get(one.runId);
      if (ofRun) ofRun.push(one);
      else byRun.set(one.runId, [one]);
    }
    await Promise.all([...byRun].map(([runId, ofRun]) => this.giveBackOf(runId, ofRun)));
  }

  private async giveBackOf(runId: string, turns: readonly Waiting[]): Promise<void> {
    const { ledger, persistence, logger } = this.parts;
    const claims = turns.map(({ turn: { node, turn }, token }) => ({ node, turn, token }));
    try {
      await persistence.until(() => ledger.giveBack(runId, claims), { runId });
    } catch (error) {
      // the claims run out, or are taken over when this worker is gone
      logger.warn('Claims could not be given back.', { runId, error });
    }
    for (const { settle } of turns) settle(false);
  }
}
