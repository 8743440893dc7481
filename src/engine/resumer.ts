import { NodeNotAwaitingError } from '../core/errors.js';
import type { ClaimAnswer } from '../core/ledger-state.js';
import type { TurnRecord } from '../core/run.js';
import { settlementOf } from '../core/settlement.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunStore } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Finisher } from './finisher.js';
import type { Persistence } from './persistence.js';
import type { Rebuilder } from './rebuilder.js';
import type { TurnExecutor } from './turn-executor.js';

export interface Answer {
  readonly output?: unknown;
  readonly action?: string;
}

/** Settles a waiting turn with the answer that it waited for: the same hop as a worker's, without running any code. */
export class Resumer {
  constructor(
    private readonly store: RunStore,
    private readonly ledger: Ledger,
    private readonly queue: JobQueue,
    private readonly executor: TurnExecutor,
    private readonly rebuilder: Rebuilder,
    private readonly finisher: Finisher,
    private readonly persistence: Persistence,
    private readonly clock: Clock,
    private readonly worker: string,
    private readonly options: EngineOptions,
  ) {}

  /** The turns of a run that wait, those that have waited longest first. */
  async awaiting(runId: string): Promise<TurnRecord[]> {
    const rows = await this.store.turns(runId);
    return rows.filter((row) => row.status === 'awaiting').sort((a, b) => a.token - b.token);
  }

  /**
   * Of two racing answers to one turn, one wins.
   * @throws NodeNotAwaitingError to the others
   */
  async resume(run: ActiveRun, nodeId: string | undefined, answer: Answer): Promise<void> {
    const { runId } = run;
    const waiting = await this.awaiting(runId);
    const row = nodeId === undefined ? waiting[0] : waiting.find((w) => w.nodeId === nodeId);
    const refuse = () =>
      new NodeNotAwaitingError(
        runId,
        nodeId,
        waiting.filter((w) => w !== row).map((w) => w.nodeId),
      );
    if (!row) throw refuse();
    const grant = await this.claim(run, row, 'resume');
    if (grant.kind !== 'granted') throw refuse();
    const write = await this.executor.answer(run, row, grant, answer);
    for (let token = grant.token; ;) {
      await this.persistence.until(() => this.store.write({ ...write, record: { ...write.record, token } }), { runId });
      const settlement = settlementOf(run.plan, { ...write.record, token }, grant.origin);
      const { leaseMs } = this.options.worker;
      const request = {
        settlement,
        token,
        worker: this.worker,
        leaseMs,
        claim: 0,
        maxTurns: this.options.limits.maxTurnsPerRun,
      };
      const settled = await this.persistence.until(() => this.ledger.settle(runId, request), { runId });
      if (settled.kind === 'accepted') {
        if (settled.open > 0) await this.noteRunning(runId, token);
        await Promise.all(
          settled.fired.map((f) =>
            this.queue.publish({ runId, blueprintId: run.plan.id, nodeId: f.node, turn: f.turn }),
          ),
        );
        return this.finisher.review(run, settled);
      }
      if (settled.kind === 'closed') throw refuse();
      if (settled.kind === 'missing') await this.rebuilder.rebuild(run);
      const again = await this.claim(run, row, 'again');
      if (again.kind === 'settled') return; // a rebuild found what was written here and accepted it
      if (again.kind !== 'granted') throw refuse();
      token = again.token;
    }
  }

  private async noteRunning(runId: string, stamp: number): Promise<void> {
    await this.persistence.until(
      () => this.store.writeStatus({ runId, status: 'running', stamp, at: this.clock.now() }),
      { runId },
    );
    await this.persistence.until(() => this.ledger.touch([runId]), { runId });
  }

  private async claim(run: ActiveRun, row: TurnRecord, mode: 'resume' | 'again'): Promise<ClaimAnswer> {
    const request = {
      node: row.nodeId,
      turn: row.turn,
      worker: `${this.worker}/resume-${this.clock.now()}`,
      leaseMs: this.options.worker.leaseMs,
      floor: row.token,
      mode,
    };
    for (let rebuilt = false; ; rebuilt = true) {
      const answer = await this.persistence.until(() => this.ledger.claim(run.runId, request), { runId: run.runId });
      if (answer.kind === 'missing') await this.rebuilder.rebuild(run);
      else if (answer.kind === 'unknown' && !rebuilt) await this.rebuilder.rebuild(run, answer.incarnation);
      else return answer;
    }
  }
}
