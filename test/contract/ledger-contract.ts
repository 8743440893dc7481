import { describe } from '@jest/globals';
import type { OpenLedger } from './ledger-bench.js';
import { claimContract } from './ledger-claim-contract.js';
import { fleetContract } from './ledger-fleet-contract.js';
import { joinContract } from './ledger-join-contract.js';
import { rebuildContract } from './ledger-rebuild-contract.js';
import { settleContract } from './ledger-settle-contract.js';

export type { LedgerBench, OpenLedger } from './ledger-bench.js';

/** What every Ledger must do. `open` is called before each test and answers a ledger with nothing in it. */
export function ledgerContract(name: string, open: OpenLedger): void {
  describe(`Ledger contract: ${name}`, () => {
    claimContract(open);
    settleContract(open);
    joinContract(open);
    rebuildContract(open);
    fleetContract(open);
  });
}
