import type { FiredTurn, TurnRef } from '../core/ledger-calls.js';
import { startTurns } from '../core/replay.js';
import type { TurnName } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { ActiveRun } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Persistence } from './persistence.js';
import type { Reservations } from './reservations.js';
import { publishTurns } from './turn-jobs.js';
import type { UnsentTurns } from './unsent-turns.js';

export interface OpenerParts {
  readonly queue: JobQueue;
  readonly ledger: Ledger;
  readonly persistence: Persistence;
  readonly reservations: Reservations;
  readonly unsent: UnsentTurns;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly worker: string;
  readonly options: EngineOptions;
  readonly stopping: AbortSignal;
}

/** How the turns that a run begins with go on in this process. */
export interface Beginning {
  readonly isUnderWay: (name: TurnName) => boolean;
  /** @param permitSince undefined: it waits in line for a permit */
  readonly goOn: (fired: FiredTurn, claim: { token: number; askedAt: number; permitSince: number | undefined }) => void;
}

/**
 * A run that begins with several nodes has one message, that of the first: whoever claims that turn sees to the others,
 * as to what a settle fires. Until they have settled or have messages of their own, the one message stands for them.
 */
export class Opener {
  constructor(private readonly parts: OpenerParts) {}

  /**
   * Resolves when those of the others that do not go on here have messages.
   * @param claims how often the first turn was claimed: if it was before, the others may have led to turns without a message
   */
  async open(run: ActiveRun, first: TurnName, claims: number, beginning: Beginning): Promise<void> {
    const turns = turnsBeside(run, first);
    if (turns.length === 0) return;
    if (claims === 1 && (await this.claim(run, turns, beginning))) return;
    await this.parts.unsent.send(run);
  }

  /** False: it could not be done, so that all of them need messages. */
  private async claim(run: ActiveRun, turns: readonly TurnRef[], { isUnderWay, goOn }: Beginning): Promise<boolean> {
    const { queue, ledger, persistence, reservations, clock, logger, worker, options, stopping } = this.parts;
    const { runId } = run;
    const { leaseMs } = options.worker;
    const room = reservations.beside(
      run,
      turns.map(({ node }) => node),
    );
    let askedAt = 0;
    const claim = () => {
      askedAt = clock.now();
      return ledger.claimUnsent(runId, { turns, worker, leaseMs, claim: room.size });
    };
    const elsewhere: FiredTurn[] = [];
    try {
      const answer = await persistence.until(claim, { runId });
      if (!answer) return false;
      for (const fired of answer) {
        const { node, turn, token } = fired;
        // a message of it has come meanwhile: whatever claims it for that is not to be overtaken
        if (token === undefined || isUnderWay({ nodeId: node, turn })) elsewhere.push(fired);
        else goOn(fired, { token, askedAt, permitSince: room.take() ? clock.now() : undefined });
      }
    } catch (error) {
      if (stopping.aborted) throw error;
      logger.warn('What a run begins with could not be claimed together; it gets messages.', { runId, error });
      return false;
    } finally {
      room.spare();
    }
    await publishTurns(queue, run, elsewhere);
    return true;
  }
}

/** The turns that have no message in a run that begins with this one. */
export function turnsBeside({ plan }: ActiveRun, { nodeId, turn }: TurnName): TurnRef[] {
  if (plan.startNodeIds.length < 2 || plan.startNodeIds[0] !== nodeId) return [];
  const [first, ...others] = startTurns(plan);
  return first?.turn === turn ? others.map((other) => ({ node: other.node, turn: other.turn })) : [];
}
