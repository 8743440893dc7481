import { replayJournal } from '../core/replay.js';
import { isEndStatus, type TurnRecord } from '../core/run.js';
import { delay, type Clock, type Ids } from '../ports/clock.js';
import type { LedgerState } from '../core/ledger-state.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore, StoredValue } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Finisher } from './finisher.js';
import type { Persistence } from './persistence.js';

const LOCK_MS = 10_000;
const REWRITES_AT_ONCE = 16;

/** Derives the ledger of a run anew from its journal, when the ledger has lost it or part of it. */
export class Rebuilder {
  constructor(
    private readonly ledger: Ledger,
    private readonly store: RunStore,
    private readonly queue: JobQueue,
    private readonly finisher: Finisher,
    private readonly persistence: Persistence,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly logger: Logger,
    private readonly worker: string,
    private readonly options: EngineOptions,
  ) {}

  /**
   * Returns when the ledger has a state for the run, made here or by another worker.
   * @param incarnation the state that is known to be wrong
   */
  async rebuild(run: ActiveRun, incarnation?: string): Promise<void> {
    const { runId } = run;
    for (;;) {
      const answer = await this.persistence.until(() => this.ledger.lock(runId, this.worker, LOCK_MS, incarnation), {
        runId,
      });
      if (answer.kind === 'exists') return;
      if (answer.kind === 'wait') {
        await delay(this.clock, 50 + this.ids.random() * 100);
        continue;
      }
      if (await this.persistence.until(() => this.install(run, answer.lock, answer.now), { runId })) return;
    }
  }

  private async install(run: ActiveRun, lock: string, now: number): Promise<boolean> {
    const { runId, plan } = run;
    const [record, rows, values] = await Promise.all([
      this.store.run(runId),
      this.store.turns(runId),
      this.store.allValues(runId),
    ]);
    const foreign = rows.length === 0 ? await this.store.foreign(runId) : undefined;
    const stamps = [...rows.map((row) => row.token), ...values.map((value) => value.stamp), foreign?.stamp ?? 0];
    const token = stamps.reduce((highest, stamp) => Math.max(highest, stamp + 1), now);
    await this.rewrite(runId, rows, values, token);
    const ledger = replayJournal(plan, rows, {
      token,
      now,
      // nobody is at work on a foreign client's run that is only being adopted
      graceMs: rows.length === 0 && foreign?.data !== undefined ? 0 : this.options.worker.leaseMs,
      maxTurns: this.options.limits.maxTurnsPerRun,
    });
    if (record && isEndStatus(record.status)) ledger.close(record.status);
    const installed = await this.ledger.install(runId, ledger, lock);
    if (installed) {
      await this.ledger.touch([runId]);
      this.logger.log(`Rebuilt the ledger of a run from ${rows.length} journal rows.`, { runId });
      if (record) await this.finisher.complete(run, record);
      if (record?.status === 'running') await this.emitOpen(run, ledger);
    }
    return installed;
  }

  /** What was queued in the lost ledger, or continued on a worker that is gone, may have no message that leads to it. */
  private async emitOpen(run: ActiveRun, ledger: LedgerState): Promise<void> {
    const open = ledger.turns().filter((turn) => turn.state === 'C' || turn.state === 'R');
    const jobs = open.map(({ node, turn }) => ({ runId: run.runId, blueprintId: run.plan.id, nodeId: node, turn }));
    await Promise.all(jobs.map((job) => this.queue.publish(job)));
  }

  /** Puts all that is accepted under the new token, so that no late write of an older claimant can change it. */
  private async rewrite(
    runId: string,
    rows: readonly TurnRecord[],
    values: readonly StoredValue[],
    token: number,
  ): Promise<void> {
    const byStamp = new Map<number, StoredValue[]>();
    for (const value of values) byStamp.set(value.stamp, [...(byStamp.get(value.stamp) ?? []), value]);
    for (let at = 0; at < rows.length; at += REWRITES_AT_ONCE) {
      await Promise.all(
        rows.slice(at, at + REWRITES_AT_ONCE).map((row) =>
          this.store.write({
            runId,
            record: { ...row, token },
            values: (byStamp.get(row.token) ?? []).map(({ stamp: _, ...value }) => value),
          }),
        ),
      );
    }
  }
}
