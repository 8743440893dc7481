import { describe, expect, it } from '@jest/globals';
import { MemoryLedger, MemoryLedgerData } from '../../../../src/drivers/memory/memory-ledger.js';
import { ledgerContract } from '../../../contract/ledger-contract.js';
import { granted, LedgerRun } from '../../../contract/ledger-bench.js';
import { SHAPES } from '../../../support/blueprints.js';
import { ManualClock } from '../../../support/manual-clock.js';

ledgerContract('memory', async () => {
  const clock = new ManualClock();
  const ledger = new MemoryLedger(clock);
  await ledger.connect();
  return { ledger, close: () => ledger.close(), wait: async (ms) => clock.advance(ms) };
});

describe('MemoryLedger', () => {
  it('shares its data with the ledgers of other workers', async () => {
    const clock = new ManualClock();
    const data = new MemoryLedgerData();
    const run = await LedgerRun.open(new MemoryLedger(clock, data), SHAPES.chain);
    const other = new MemoryLedger(clock, data);
    const claim = granted(await run.claim('a'));
    expect(await other.renew(run.runId, 'a', '1', 'w1', claim.token, 1000)).toBe('held');
  });

  it('does not let claims live longer when the clock is set back', async () => {
    const clock = new ManualClock();
    const ledger = new MemoryLedger(clock);
    const before = await ledger.now();
    clock.advance(-5000);
    const after = await ledger.now();
    expect(after).toBeGreaterThan(before);
    expect(after).toBeLessThan(before + 1000);
  });

  it('forgets ended runs after a while, and keeps the others', async () => {
    const clock = new ManualClock();
    const ledger = new MemoryLedger(clock);
    const ended = await LedgerRun.open(ledger, SHAPES.chain);
    const running = await LedgerRun.open(ledger, SHAPES.chain);
    const later = await LedgerRun.open(ledger, SHAPES.chain);
    await ledger.end(ended.runId, 'completed');
    clock.advance(3_600_000);
    await ledger.end(later.runId, 'completed');
    expect(await ended.claim('a')).toEqual({ kind: 'missing' });
    expect(await later.claim('a')).toEqual({ kind: 'closed', status: 'completed' });
    granted(await running.claim('a'));
  });

  it('loses everything at once, as a server that restarts without persistence', async () => {
    const data = new MemoryLedgerData();
    const ledger = new MemoryLedger(new ManualClock(), data);
    const run = await LedgerRun.open(ledger, SHAPES.chain);
    await ledger.beat('w1', 1000);
    data.clear();
    expect(await run.claim('a')).toEqual({ kind: 'missing' });
    expect(await ledger.isAlive('w1')).toBe(false);
  });
});
