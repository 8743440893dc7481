import type { Origin } from '../core/settlement.js';
import type { JobQueue } from '../ports/job-queue.js';
import { jobOf, type ActiveRun } from './active-run.js';

export interface ReadyTurn {
  readonly node: string;
  readonly turn: string;
  readonly origin?: Origin;
}

/** What is known of turns whose messages are sent. */
export interface Sending {
  /** The turns go on in this process anyway. */
  readonly areHere?: boolean;
  /** The ledger has them open: nobody is to take them for done because it remembers that. */
  readonly areOpen?: boolean;
}

/**
 * Sends the messages of turns that are ready; resolves when they are durable. Messages of a run share a partition, those
 * of nodes that were added to it don't: the items of a batch spread over all partitions, and so over the fleet.
 */
export async function publishTurns(
  queue: JobQueue,
  run: ActiveRun,
  turns: readonly ReadyTurn[],
  { areHere = false, areOpen = false }: Sending = {},
): Promise<void> {
  const { runId } = run;
  await Promise.all(
    turns.map((ready) => {
      const { node, turn, origin } = ready;
      const job = jobOf(run, node, turn);
      return queue.publish(areOpen ? { ...job, isOpen: true } : job, origin ? `${runId}/${node}` : undefined, areHere);
    }),
  );
}
