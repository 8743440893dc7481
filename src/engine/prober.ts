import type { TurnName } from '../core/run.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore } from '../ports/run-store.js';
import { retriesOf, type ActiveRun, type ActiveRuns } from './active-run.js';
import type { Finisher } from './finisher.js';
import type { Persistence } from './persistence.js';
import type { Rebuilder } from './rebuilder.js';
import { isBehind } from './stranded-runs.js';
import { publishTurns } from './turn-jobs.js';

/**
 * Answers the reconciler's question "does this run move?" where its jobs are processed: the probe lies behind all older
 * jobs of the run's partition, so a backlog is never taken for a stall. Idempotent: any number of probes is harmless.
 */
export class Prober {
  constructor(
    private readonly store: RunStore,
    private readonly ledger: Ledger,
    private readonly queue: JobQueue,
    private readonly runs: ActiveRuns,
    private readonly rebuilder: Rebuilder,
    private readonly finisher: Finisher,
    private readonly endIfOrphan: (run: ActiveRun) => Promise<boolean>,
    private readonly beganToWait: (run: ActiveRun, name: TurnName) => Promise<void>,
    private readonly persistence: Persistence,
    private readonly logger: Logger,
  ) {}

  /** Sends the open turns that nobody holds again, and ends a run that has none. Answers the nodes that were sent. */
  async probe(asked: ActiveRun): Promise<readonly string[]> {
    const { runId } = asked;
    let run = asked;
    if (await this.endIfOrphan(run)) return [];
    for (let looked = false; ;) {
      const [state, now] = await this.persistence.until(
        () => Promise.all([this.ledger.read(runId), this.ledger.now()]),
        { runId },
      );
      if (state.fields.size === 0) {
        await this.rebuilder.rebuild(run);
        continue;
      }
      const retries = Number(state.get('z') ?? 0);
      if (state.get('x') !== undefined || retries !== retriesOf(run.record)) {
        run = (await this.persistence.until(() => this.runs.current(runId), { runId })) ?? run;
        if (run.record.status === 'running' && retries < retriesOf(run.record)) {
          // opened again, by somebody who came no further
          await this.rebuilder.rebuild(run, state.get('i'));
          continue;
        }
      }
      if (state.get('x') !== undefined) {
        await this.persistence.until(() => this.ledger.forget(runId), { runId });
        return [];
      }
      const turns = state.turns();
      const waiting = turns.filter((t) => t.state === 'W');
      if (!looked && waiting.length > 0) {
        looked = true;
        const rows = await this.persistence.until(() => this.store.turns(runId, false), { runId });
        if (isBehind(state, rows)) {
          await this.rebuilder.rebuild(run, state.get('i'));
          continue;
        }
        // whoever ended a child run may not have come to say so, and a timer may have been lost
        for (const { node, turn } of waiting) await this.beganToWait(run, { nodeId: node, turn });
        continue;
      }
      const open = turns.filter((t) => t.state === 'R' || t.state === 'C' || t.state === 'Q');
      const counts = state.counts();
      if (open.length === 0 || counts.tooManyTurnsAt !== undefined) {
        await this.finisher.review(run, counts);
        return [];
      }
      const stuck = open.filter((t) => t.state === 'R' || (t.state === 'C' && t.until <= now));
      if (stuck.length > 0)
        this.logger.warn(`Sending ${stuck.length} stalled node(s) of a run again.`, {
          runId,
          nodes: stuck.slice(0, 5).map((t) => t.node),
        });
      await publishTurns(this.queue, run, stuck, { areOpen: true });
      await this.persistence.until(() => this.ledger.touch([runId]), { runId });
      return stuck.map((t) => t.node);
    }
  }
}
