import { it } from '@jest/globals';
import { MemoryLedger } from '../../../../src/drivers/memory/memory-ledger.js';
import { SystemClock } from '../../../../src/drivers/system/system-clock.js';
import { checkLedgerEquivalence } from '../../../contract/ledger-equivalence.js';

it('the memory ledger decides as LedgerState does, on random histories of random plans', async () => {
  await checkLedgerEquivalence(new MemoryLedger(new SystemClock()), { numRuns: 150 });
}, 60_000);
