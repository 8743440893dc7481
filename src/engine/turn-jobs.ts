import type { Origin } from '../core/settlement.js';
import type { JobQueue } from '../ports/job-queue.js';
import { jobOf, type ActiveRun } from './active-run.js';

export interface ReadyTurn {
  readonly node: string;
  readonly turn: string;
  readonly origin?: Origin;
}

/**
 * Sends the messages of turns that are ready; resolves when they are durable. Messages of a run share a partition, those
 * of nodes that were added to it don't: the items of a batch spread over all partitions, and so over the fleet.
 * @param areHere the turns go on in this process anyway
 */
export async function publishTurns(
  queue: JobQueue,
  run: ActiveRun,
  turns: readonly ReadyTurn[],
  areHere = false,
): Promise<void> {
  const { runId } = run;
  await Promise.all(
    turns.map((ready) => {
      const { node, turn, origin } = ready;
      return queue.publish(jobOf(run, node, turn), origin ? `${runId}/${node}` : undefined, areHere);
    }),
  );
}
