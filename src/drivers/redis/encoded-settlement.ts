import type { Settlement } from '../../core/settlement.js';
import { encodeSettlement } from './ledger-messages.js';
import { straightOf, type Straight } from './straight-settlement.js';

/** A settlement as the scripts take it. */
export class EncodedSettlement {
  readonly straight: Straight;
  private made: string | undefined;

  constructor(private readonly settlement: Settlement) {
    this.straight = straightOf(settlement);
  }

  /** The whole of it, for the general way. Made when it is needed: most settles of many runs at once go without. */
  get text(): string {
    return (this.made ??= encodeSettlement(this.settlement));
  }
}
