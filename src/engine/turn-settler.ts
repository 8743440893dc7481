import type { SettleAnswer } from '../core/ledger-calls.js';
import type { TurnRecord } from '../core/run.js';
import type { Origin } from '../core/settlement.js';
import { SharedSettlements } from '../core/shared-settlements.js';
import type { Ledger } from '../ports/ledger.js';
import type { ActiveRun } from './active-run.js';
import type { EngineOptions } from './engine-options.js';
import type { Persistence } from './persistence.js';

/** Tells the ledger how a turn ended, as its journal row says. */
export class TurnSettler {
  private readonly settlements = new SharedSettlements();

  constructor(
    private readonly ledger: Ledger,
    private readonly persistence: Persistence,
    private readonly worker: string,
    private readonly options: EngineOptions,
  ) {}

  /** `claim`: how many of the turns that fire are claimed for this worker in the same call. */
  settle(
    run: ActiveRun,
    record: TurnRecord,
    { token, origin, claim = 0 }: { token: number; origin?: Origin | undefined; claim?: number },
  ): Promise<SettleAnswer> {
    const { runId } = run;
    const { nodeId, turn } = record;
    const ask = () =>
      this.ledger.settle(runId, {
        token,
        worker: this.worker,
        leaseMs: this.options.worker.leaseMs,
        claim,
        maxTurns: this.options.limits.maxTurnsPerRun,
        ...this.settlements.of(run.plan, record, origin),
      });
    return this.persistence.until(ask, { runId, nodeId, turn });
  }
}
