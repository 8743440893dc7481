import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RedisTimerIndex } from '../../../src/drivers/redis/redis-timer-index.js';
import { timerIndexContract, timerRowsContract } from '../../contract/timers-contract.js';
import { CassandraFixture } from '../../support/cassandra-fixture.js';
import { RedisFixture } from '../../support/redis-fixture.js';

const cassandra = new CassandraFixture();
afterAll(() => cassandra.close(), 60_000);

timerRowsContract('Cassandra', async () => {
  const fixture = new CassandraFixture();
  return { rows: (await fixture.ready()).timers, close: () => fixture.close() };
});

timerIndexContract('Redis', async () => {
  const fixture = await RedisFixture.open();
  const one = new RedisTimerIndex(fixture.client, { prefix: fixture.prefix });
  const other = new RedisTimerIndex(fixture.client, { prefix: fixture.prefix });
  await one.connect();
  await other.connect();
  return {
    one,
    other,
    now: async () => Math.floor((await fixture.ledger.now()) / 1000),
    pass: async (ms) => void (await sleep(ms)),
    lose: () => fixture.clear(),
    close: async () => {
      await one.close();
      await other.close();
      await fixture.close();
    },
  };
});

describe('the rows of timers', () => {
  beforeAll(async () => void (await cassandra.ready()), 60_000);

  it('expire thirty days after they were due', async () => {
    const store = await cassandra.ready();
    const due = Date.now() + 5 * 86_400_000;
    await store.timers.add({ due, runId: 'r', kind: 'turn', nodeId: 'n', turn: '1' });
    await store.timers.finish({ due, runId: 'r', kind: 'turn', nodeId: 'n', turn: '1' });
    const { rows } = await cassandra.client.execute(`SELECT TTL(done) AS ttl FROM ${cassandra.keyspace}.timers`);
    expect(Number(rows[0]?.['ttl']) / 86_400).toBeCloseTo(35, 1);
  });
});
