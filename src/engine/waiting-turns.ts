import type { ClaimAnswer } from '../core/ledger-state.js';
import type { TurnName, TurnRecord } from '../core/run.js';
import { settlementOf } from '../core/settlement.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunStore } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Finisher } from './finisher.js';
import type { Execution } from './node-execution.js';
import type { Persistence } from './persistence.js';
import type { Rebuilder } from './rebuilder.js';
import type { RunContext } from './run-context.js';
import type { TurnExecutor } from './turn-executor.js';

/**
 * Settles turns that wait, once what they wait for has come: the same hop as that of a worker, without the code of a
 * node. Of several that come at once, one gets the claim.
 */
export class WaitingTurns {
  private answers = 0;

  constructor(
    private readonly store: RunStore,
    private readonly ledger: Ledger,
    private readonly queue: JobQueue,
    private readonly executor: TurnExecutor,
    private readonly rebuilder: Rebuilder,
    private readonly finisher: Finisher,
    private readonly persistence: Persistence,
    private readonly worker: string,
    private readonly options: EngineOptions,
  ) {}

  /** The turns of a run that wait, those that have waited longest first. */
  async list(runId: string): Promise<TurnRecord[]> {
    const rows = await this.persistence.until(() => this.store.turns(runId), { runId });
    return rows.filter((row) => row.status === 'awaiting').sort((a, b) => a.token - b.token);
  }

  async find(runId: string, { nodeId, turn }: TurnName): Promise<TurnRecord | undefined> {
    const row = await this.persistence.until(() => this.store.turn(runId, nodeId, turn), { runId, nodeId, turn });
    return row?.status === 'awaiting' ? row : undefined;
  }

  /**
   * @param ending how the turn ends; may write to the context before
   * @returns false if the turn does not wait any more, or another settles it now
   */
  async settle(run: ActiveRun, row: TurnRecord, ending: (context: RunContext) => Promise<Execution>): Promise<boolean> {
    const { runId } = run;
    const grant = await this.claim(run, row, 'resume');
    if (grant.kind !== 'granted') return false;
    const write = await this.executor.conclude(run, row, grant, ending);
    for (let token = grant.token; ;) {
      const record = { ...write.record, token };
      await this.persistence.until(() => this.store.write({ ...write, record }), { runId });
      const settled = await this.persistence.until(
        () =>
          this.ledger.settle(runId, {
            settlement: settlementOf(run.plan, record, grant.origin),
            token,
            worker: this.worker,
            leaseMs: this.options.worker.leaseMs,
            claim: 0,
            maxTurns: this.options.limits.maxTurnsPerRun,
          }),
        { runId },
      );
      if (settled.kind === 'accepted') {
        if (settled.open > 0) await this.finisher.unpause(run, token);
        const jobs = settled.fired.map((f) => ({ runId, blueprintId: run.plan.id, nodeId: f.node, turn: f.turn }));
        await Promise.all(jobs.map((job) => this.queue.publish(job)));
        await this.finisher.review(run, settled);
        return true;
      }
      if (settled.kind === 'closed') return false;
      if (settled.kind === 'missing') await this.rebuilder.rebuild(run);
      const again = await this.claim(run, row, 'again');
      if (again.kind === 'settled') return true; // a rebuild found what was written here and accepted it
      if (again.kind !== 'granted') return false;
      token = again.token;
    }
  }

  private async claim(run: ActiveRun, row: TurnRecord, mode: 'resume' | 'again'): Promise<ClaimAnswer> {
    const { runId } = run;
    const request = {
      node: row.nodeId,
      turn: row.turn,
      // a name of its own: a worker may claim again what it holds, but of two answers one must lose
      worker: `${this.worker}/${(this.answers += 1)}`,
      leaseMs: this.options.worker.leaseMs,
      floor: row.token,
      mode,
    };
    for (let rebuilt = false; ; rebuilt = true) {
      const answer = await this.persistence.until(() => this.ledger.claim(runId, request), { runId });
      if (answer.kind === 'missing') await this.rebuilder.rebuild(run);
      else if (answer.kind === 'unknown' && !rebuilt) await this.rebuilder.rebuild(run, answer.incarnation);
      else return answer;
    }
  }
}
