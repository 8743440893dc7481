import type { TurnName } from '../core/run.js';
import type { ActiveRun } from './active-run.js';
import type { Rebuilder } from './rebuilder.js';

/**
 * A turn that the ledger does not know: either it was never due, or the ledger has lost its latest writes. The journal
 * tells; but a ledger that was put right by it may lose that as well, so what counts is what was derived from the journal.
 */
export class UnknownTurn {
  /** The state that the journal gave, and that does not know the turn either. */
  private without: string | undefined;

  constructor(
    private readonly rebuilder: Rebuilder,
    private readonly run: ActiveRun,
    private readonly name: TurnName,
  ) {}

  /** Whether it was never due; if not, the ledger is to be asked again. @param incarnation that of the state without it */
  async isNotDue(incarnation: string): Promise<boolean> {
    if (incarnation === this.without) return true;
    const made = await this.rebuilder.rebuild(this.run, incarnation);
    this.without = made && !made.turn(this.name.nodeId, this.name.turn) ? made.get('i') : undefined;
    return false;
  }
}
