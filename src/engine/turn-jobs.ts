import type { Origin } from '../core/settlement.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { ActiveRun } from './active-run.js';

export interface ReadyTurn {
  readonly node: string;
  readonly turn: string;
  readonly origin?: Origin;
}

/**
 * Sends the messages of turns that are ready; resolves when they are durable. Messages of a run share a partition, those
 * of nodes that were added to it don't: the items of a batch spread over all partitions, and so over the fleet.
 */
export async function publishTurns(queue: JobQueue, run: ActiveRun, turns: readonly ReadyTurn[]): Promise<void> {
  const { runId, plan } = run;
  await Promise.all(
    turns.map(({ node, turn, origin }) =>
      queue.publish({ runId, blueprintId: plan.id, nodeId: node, turn }, origin ? `${runId}/${node}` : undefined),
    ),
  );
}
