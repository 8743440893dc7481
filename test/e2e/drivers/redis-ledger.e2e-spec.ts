import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LedgerState } from '../../../src/core/ledger-state.js';
import { ledgerContract } from '../../contract/ledger-contract.js';
import { checkLedgerEquivalence } from '../../contract/ledger-equivalence.js';
import { granted, LedgerRun, LONG_LEASE_MS } from '../../contract/ledger-bench.js';
import { SHAPES } from '../../support/blueprints.js';
import { RedisFixture } from '../../support/redis-fixture.js';

ledgerContract('Redis', async () => {
  const fixture = await RedisFixture.open();
  return { ledger: fixture.ledger, close: () => fixture.close() };
});

describe('The ledger in Redis', () => {
  let fixture: RedisFixture;
  beforeAll(async () => {
    fixture = await RedisFixture.open();
  });
  afterAll(() => fixture.close());

  const keyOf = (runId: string) => `${fixture.prefix}:{${runId}}`;
  const ttlOf = (runId: string) => fixture.client.call('pttl', (redis) => redis.pttl(keyOf(runId)));

  it('goes through random histories as the one in memory does', async () => {
    await checkLedgerEquivalence(fixture.ledger, { numRuns: 150 });
  }, 120_000);

  it('keeps a run for seven days from its last settling, and an hour from its end', async () => {
    const run = await LedgerRun.open(fixture.ledger, SHAPES.chain);
    expect(await ttlOf(run.runId)).toBeGreaterThan(6.9 * 86_400_000);
    await fixture.client.call('pexpire', (redis) => redis.pexpire(keyOf(run.runId), 60_000));
    await run.pass('a');
    expect(await ttlOf(run.runId)).toBeGreaterThan(6.9 * 86_400_000);
    await fixture.ledger.end(run.runId, 'completed');
    const ttl = await ttlOf(run.runId);
    expect(ttl).toBeGreaterThan(3_500_000);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
    expect(await run.claim('b')).toEqual({ kind: 'closed', status: 'completed' });
    expect(await ttlOf(run.runId)).toBeLessThanOrEqual(3_600_000);
  });

  it('does not bring a forgotten run back by ending it', async () => {
    await fixture.ledger.end('never-seen', 'completed');
    expect((await fixture.ledger.read('never-seen')).fields.size).toBe(0);
  });

  it('installs a state of many thousand fields whole', async () => {
    const state = new LedgerState();
    state.open([], 'big', await fixture.ledger.now());
    for (let i = 0; i < 100_000; i++) state.makeReady(`node ${i}`, '1', []);
    expect(await fixture.ledger.install('big-run', state)).toBe(true);
    expect((await fixture.ledger.read('big-run')).fields).toEqual(state.fields);
  });

  it('takes names of nodes, turns and workers that mean something to Lua or to Redis', async () => {
    const names = ['%1', '%s', '{x}', 'a b', '"quoted"', "it's", 'ü😀', '\\31', '-- [[', 'null', '0'];
    const edges = names.slice(1).map((target) => ({ source: names[0] ?? '', target }));
    const run = await LedgerRun.open(fixture.ledger, {
      id: 'odd',
      nodes: names.map((id) => ({ id, uses: 'step' })),
      edges,
    });
    const { fired } = await run.pass('%1', '1', { worker: 'w %s {1}', claim: 3 });
    expect(fired.map((f) => f.node)).toEqual(names.slice(1));
    for (const { node } of fired) granted(await run.claim(node, '1', { worker: 'w %s {1}', leaseMs: LONG_LEASE_MS }));
  });
});
