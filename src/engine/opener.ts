import type { FiredTurn } from '../core/ledger-calls.js';
import { startTurns } from '../core/replay.js';
import type { TurnName } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { ActiveRun } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Persistence } from './persistence.js';
import type { Reservations } from './reservations.js';
import { publishTurns } from './turn-jobs.js';

export interface OpenerParts {
  readonly queue: JobQueue;
  readonly ledger: Ledger;
  readonly persistence: Persistence;
  readonly reservations: Reservations;
  readonly clock: Clock;
  readonly worker: string;
  readonly options: EngineOptions;
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

  /** Resolves when those of the others that do not go on here have messages. */
  async open(run: ActiveRun, first: TurnName, { isUnderWay, goOn }: Beginning): Promise<void> {
    const { queue, ledger, persistence, reservations, clock, worker, options } = this.parts;
    const turns = turnsBeside(run, first);
    if (turns.length === 0) return;
    // one that this process has at hand already is not to be claimed again: its message will find it
    const isNew = !turns.some(({ node, turn }) => isUnderWay({ nodeId: node, turn }));
    const room = reservations.beside(run, isNew ? turns.map(({ node }) => node) : []);
    const { runId } = run;
    const { leaseMs } = options.worker;
    let askedAt = 0;
    const claim = () => {
      askedAt = clock.now();
      return ledger.claimUnsent(runId, { turns, worker, leaseMs, claim: room.size });
    };
    try {
      const fired = await persistence.until(claim, { runId });
      for (const one of fired) {
        if (one.token === undefined) continue;
        goOn(one, { token: one.token, askedAt, permitSince: room.take() ? clock.now() : undefined });
      }
      await publishTurns(
        queue,
        run,
        fired.filter(({ token }) => token === undefined),
      );
    } finally {
      room.spare();
    }
  }
}

/** The turns that have no message in a run that begins with this one. */
export function turnsBeside({ plan }: ActiveRun, { nodeId, turn }: TurnName): { node: string; turn: string }[] {
  if (plan.startNodeIds.length < 2 || plan.startNodeIds[0] !== nodeId) return [];
  const [first, ...others] = startTurns(plan);
  return first?.turn === turn ? others.map((other) => ({ node: other.node, turn: other.turn })) : [];
}
