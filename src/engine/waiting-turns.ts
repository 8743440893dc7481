import { claimantOf } from '../core/identifiers.js';
import type { ClaimAnswer } from '../core/ledger-calls.js';
import { isRetry, type TurnName, type TurnRecord } from '../core/run.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunStore, TurnWrite } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Finisher } from './finisher.js';
import type { Execution } from './node-execution.js';
import type { Persistence } from './persistence.js';
import type { Rebuilder } from './rebuilder.js';
import type { TurnExecutor, WaitingNode } from './turn-executor.js';
import { publishTurns } from './turn-jobs.js';
import type { TurnSettler } from './turn-settler.js';
import { UnknownTurn } from './unknown-turn.js';

export interface WaitingTurnsParts {
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly executor: TurnExecutor;
  readonly settler: TurnSettler;
  readonly rebuilder: Rebuilder;
  readonly finisher: Finisher;
  readonly persistence: Persistence;
  readonly worker: string;
  readonly options: EngineOptions;
}

/**
 * How an attempt to settle a waiting turn went. `taken`: another has the claim and may yet settle it, or be lost.
 * `gone`: it does not wait any more, or its run has ended.
 */
export type WaitEnding = 'settled' | 'taken' | 'gone';

/**
 * Settles turns that wait, once what they wait for has come: the same hop as that of a worker, without the code of a
 * node. Of several that come at once, one gets the claim.
 */
export class WaitingTurns {
  private claims = 0;

  constructor(private readonly parts: WaitingTurnsParts) {}

  /** The turns of a run that wait for something but their next attempt, those that have waited longest first. */
  async list(runId: string): Promise<TurnRecord[]> {
    const rows = await this.parts.persistence.until(() => this.parts.store.turns(runId), { runId });
    return rows.filter((row) => row.status === 'awaiting' && !isRetry(row)).sort((a, b) => a.token - b.token);
  }

  async find(runId: string, name: TurnName): Promise<TurnRecord | undefined> {
    const row = await this.read(runId, name);
    return row?.status === 'awaiting' ? row : undefined;
  }

  /** @param ending how the turn ends; may write to the context before */
  async settle(
    run: ActiveRun,
    row: TurnRecord,
    ending: (waiting: WaitingNode) => Promise<Execution>,
  ): Promise<WaitEnding> {
    const { store, queue, executor, settler, rebuilder, finisher, persistence } = this.parts;
    const { runId } = run;
    // a name of its own: a worker may claim again what it holds, but of two answers one must lose
    const claimant = claimantOf(this.parts.worker, (this.claims += 1));
    let claimed = await this.claim(run, row, claimant, 'resume');
    if (claimed.kind !== 'granted') return claimed.kind === 'busy' ? 'taken' : 'gone';
    await this.watch(runId);
    let write: TurnWrite = await executor.conclude(run, row, claimed, ending);
    for (;;) {
      const { token } = claimed;
      write = { ...write, record: { ...write.record, token } };
      await persistence.until(() => store.write(write), { runId });
      const answer = await settler.settle(run, write.record, { token, origin: claimed.origin });
      if (answer.kind === 'accepted') {
        if (answer.open > 0) await finisher.unpause(run, token);
        await publishTurns(queue, run, answer.fired);
        await finisher.review(run, answer);
        return 'settled';
      }
      if (answer.kind === 'closed') return 'gone';
      if (answer.kind === 'missing') await rebuilder.rebuild(run);
      let again = await this.claim(run, row, claimant, 'again');
      if (again.kind === 'awaiting') again = await this.claim(run, row, claimant, 'resume');
      // a rebuild that found what was written here has accepted it
      if (again.kind === 'settled') return isSame(await this.read(runId, row), write.record) ? 'settled' : 'gone';
      if (again.kind !== 'granted') return again.kind === 'busy' ? 'taken' : 'gone';
      claimed = again;
    }
  }

  private async claim(
    run: ActiveRun,
    row: TurnRecord,
    claimant: string,
    mode: 'resume' | 'again',
  ): Promise<ClaimAnswer> {
    const { ledger, persistence, rebuilder, options } = this.parts;
    const { runId } = run;
    const { leaseMs } = options.worker;
    const request = { node: row.nodeId, turn: row.turn, worker: claimant, leaseMs, floor: row.token, mode };
    // before the claim: if this process is lost with it, somebody must come to look
    await this.watch(runId);
    const unknown = new UnknownTurn(rebuilder, run, row);
    for (;;) {
      const answer = await persistence.until(() => ledger.claim(runId, request), { runId });
      if (answer.kind === 'missing') await rebuilder.rebuild(run);
      else if (answer.kind !== 'unknown' || (await unknown.isNotDue(answer.incarnation))) return answer;
    }
  }

  /** The run is looked after from now on, and this process, which may be no worker, counts as alive while it settles. */
  private async watch(runId: string): Promise<void> {
    const { ledger, persistence, worker, options } = this.parts;
    await persistence.until(
      () => Promise.all([ledger.touch([runId]), ledger.beat(worker, options.worker.livenessMs)]),
      { runId },
    );
  }

  private read(runId: string, { nodeId, turn }: TurnName): Promise<TurnRecord | undefined> {
    const { persistence, store } = this.parts;
    return persistence.until(() => store.turn(runId, nodeId, turn), { runId, nodeId, turn });
  }
}

/** Whether a row is the one that was written here, under whatever token. */
function isSame(row: TurnRecord | undefined, own: TurnRecord): boolean {
  return (
    row !== undefined &&
    row.status === own.status &&
    row.output === own.output &&
    row.action === own.action &&
    row.endedAt === own.endedAt
  );
}
