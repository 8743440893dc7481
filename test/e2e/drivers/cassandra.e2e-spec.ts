import { randomUUID } from 'node:crypto';
import { types } from 'cassandra-driver';
import type { TurnRecord } from '../../../src/core/run.js';
import type { CassandraRunStore } from '../../../src/drivers/cassandra/cassandra-run-store.js';
import { runStoreContract } from '../../contract/run-store-contract.js';
import { CassandraFixture } from '../../support/cassandra-fixture.js';
import { runRecord } from '../../support/run-records.js';
import { turnRecord } from '../../support/turn-records.js';

const fixture = new CassandraFixture();
let store: CassandraRunStore;
const newRun = () => `run-${randomUUID()}`;

beforeAll(async () => {
  store = await fixture.ready();
}, 60_000);

afterAll(async () => {
  await fixture.close();
}, 60_000);

runStoreContract('Cassandra', async () => {
  const contract = new CassandraFixture();
  const query = `INSERT INTO ${contract.keyspace}.contexts (runid, data) VALUES (?, ?)`;
  return {
    store: await contract.ready(),
    close: () => contract.close(),
    writeForeign: async (runId, data) => void (await contract.client.execute(query, [runId, data], { prepare: true })),
  };
});

describe('runs', () => {
  it('a second end with the very same words does not count as the first', async () => {
    const run = runRecord();
    await store.accept(run);
    expect((await store.end(run.runId, 'completed', undefined, 5)).ended).toBe(true);
    const again = await store.end(run.runId, 'completed', undefined, 5);
    expect(again).toEqual({ ended: false, run: { ...run, status: 'completed', endedAt: 5 } });
  });
});

describe('the rows of a turn', () => {
  it('are sent to a node that has them, where the cluster has several', async () => {
    const { client } = store.connection;
    const { loadBalancing } = (client as unknown as { options: { policies: { loadBalancing: QueryPlanner } } }).options
      .policies;
    const asked: unknown[] = [];
    const plan = loadBalancing.newQueryPlan.bind(loadBalancing);
    loadBalancing.newQueryPlan = (keyspace, options, callback) => {
      asked.push([options?.getKeyspace(), options?.getRoutingKey()]);
      plan(keyspace, options, callback);
    };
    const hosts = client.hosts.values();
    client.hosts.values = () => [...hosts, ...hosts];
    const runId = newRun();
    try {
      const values = [{ key: 'a', value: '1' }];
      await store.write({ runId, record: turnRecord('n', { output: '1' }), values });
    } finally {
      Reflect.deleteProperty(client.hosts, 'values');
      Reflect.deleteProperty(loadBalancing, 'newQueryPlan');
    }
    expect(asked).toContainEqual([fixture.keyspace, client.metadata.newToken(Buffer.from(runId))]);
    expect(await store.turn(runId, 'n', '1')).toMatchObject({ output: '1' });
  });
});

interface QueryPlanner {
  newQueryPlan(
    keyspace: string,
    options: { getKeyspace(): unknown; getRoutingKey(): unknown } | null,
    callback: (error: Error | null, plan: Iterator<unknown>) => void,
  ): void;
}

describe('the list of runs', () => {
  it('gives runs newest first, in pages, over the border of days', async () => {
    const other = await fixture.ready({ keyspace: `${fixture.keyspace}_l` });
    const midnight = Math.floor(Date.now() / 86_400_000) * 86_400_000;
    const runs = Array.from({ length: 25 }, (_, i) => runRecord({ createdAt: midnight - 12_000 + i * 1000 }));
    await Promise.all(runs.map((run) => other.accept(run)));
    const expected = runs.map((run) => run.runId).reverse();
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await other.list({
        from: 0,
        to: midnight + 60_000,
        limit: 5,
        ...(cursor === undefined ? {} : { cursor }),
      });
      seen.push(...page.runIds);
      cursor = page.cursor;
      pages++;
    } while (cursor !== undefined);
    expect(seen).toEqual(expected);
    expect(pages).toBe(5);
    const part = await other.list({ from: midnight - 3000, to: midnight + 1000, limit: 100 });
    expect(part.runIds).toEqual(
      runs
        .slice(9, 14)
        .map((run) => run.runId)
        .reverse(),
    );
  }, 30_000);

  it('names a run once, although it was started twice', async () => {
    const run = runRecord();
    await store.accept(run);
    await store.accept({ ...run, createdAt: run.createdAt + 1500 });
    const { runIds } = await store.list({ from: run.createdAt - 1000, to: run.createdAt + 5000, limit: 1000 });
    expect(runIds.filter((id) => id === run.runId)).toHaveLength(1);
  });

  it('keeps an index entry for 30 days', async () => {
    await store.accept(runRecord());
    const { rows } = await fixture.client.execute(
      `SELECT TTL(blueprint_id) AS ttl FROM ${fixture.keyspace}.run_index LIMIT 1`,
    );
    expect(rows[0]?.['ttl']).toBeGreaterThan(29 * 86_400);
  });
});

describe('the journal', () => {
  const full: TurnRecord = turnRecord('a', {
    turn: '2/1',
    token: 1_800_000_000_000_123,
    status: 'failed',
    passes: ['2', '1'],
    output: '{"v":{"x":"ä"}}',
    action: 'retry',
    taken: ['b'],
    rescuer: 'f',
    dynamicNodes: [{ id: 'd1', uses: 'step' }],
    gather: 'g',
    writes: ['k'],
    inputsWritten: ['b'],
    error: { message: 'no', isFatal: true, cause: { name: 'Error', message: 'why' } },
    awaiting: { reason: 'sleep', wakeUpAt: '2030-01-01T00:00:00.000Z' },
  });

  it('a turn reads back as it was written, with all of its fields or with few', async () => {
    const runId = newRun();
    const few = turnRecord('b');
    await store.write({ runId, record: full, values: [] });
    await store.write({ runId, record: few, values: [] });
    expect(await store.turn(runId, 'a', '2/1')).toEqual(full);
    expect(await store.turn(runId, 'b', '1')).toEqual(few);
    expect(await store.turn(runId, 'a', '1')).toBeUndefined();
    expect(await store.turns(runId)).toEqual([full, few]);
    const { output, ...head } = full;
    expect(output).toBeDefined();
    expect(await store.turns(runId, false)).toEqual([head, few]);
  });

  it('a late write under an older token shows through nowhere', async () => {
    const runId = newRun();
    const holds = turnRecord('a', { token: 20, status: 'failed' });
    await store.write({ runId, record: holds, values: [{ key: 'k', deleted: true }] });
    await store.write({
      runId,
      record: { ...full, turn: '1', token: 10 },
      values: [
        { key: 'k', value: '{"v":1}' },
        { key: 'only-late', value: '{"v":1}' },
      ],
    });
    expect(await store.turn(runId, 'a', '1')).toEqual(holds);
    expect(await store.values(runId, ['k', 'only-late'], [])).toEqual([
      { key: 'k', stamp: 20, deleted: true },
      { key: 'only-late', stamp: 10, value: '{"v":1}' },
    ]);
    expect(await store.outputs(runId, [{ nodeId: 'a', turn: '1' }])).toEqual([]);
  });

  it('reads long lists of keys, outputs and turns', async () => {
    const runId = newRun();
    const names = Array.from({ length: 130 }, (_, i) => `n${String(i).padStart(3, '0')}`);
    for (const name of names) {
      const record = turnRecord(name, { output: `{"v":"${name}"}` });
      await store.write({ runId, record, values: [{ key: name, value: '{"v":0}' }] });
    }
    expect((await store.values(runId, names, [])).map((v) => v.key).sort()).toEqual(names);
    expect(await store.allValues(runId)).toHaveLength(130);
    expect((await store.turns(runId)).map((t) => t.nodeId)).toEqual(names);
    const outputs = await store.outputs(
      runId,
      names.map((nodeId) => ({ nodeId, turn: '1' })),
    );
    expect(outputs.map((o) => o.nodeId).sort()).toEqual(names);
    expect(await store.outputs(runId, [])).toEqual([]);
  }, 30_000);

  it('refuses a turn that is larger than the server takes, and says so', async () => {
    const value = 'x'.repeat(1_000_000);
    const values = Array.from({ length: 10 }, (_, i) => ({ key: `k${i}`, value }));
    const write = store.write({ runId: newRun(), record: turnRecord('a'), values });
    await expect(write).rejects.toMatchObject({ code: 'FLOW_VALUE_TOO_LARGE' });
  });
});

describe('statuses', () => {
  it('neither a late running nor a touch undoes a final status', async () => {
    const runId = newRun();
    await store.writeStatus({ runId, status: 'completed', result: '{}', stamp: 50, at: 1000 });
    await store.writeStatus({ runId, status: 'running', stamp: 40, at: 900 });
    expect(await store.status(runId)).toEqual({ status: 'completed', result: '{}', updatedAt: 1000 });
    await store.touchStatus(runId, 45, 950);
    expect(await store.status(runId)).toEqual({ status: 'completed', result: '{}', updatedAt: 1000 });
    await store.touchStatus(runId, 60, 2000);
    expect(await store.status(runId)).toEqual({ status: 'completed', result: '{}', updatedAt: 2000 });
  });

  it("answers the page's query", async () => {
    const runId = newRun();
    await store.writeStatus({ runId, status: 'completed', result: '{"status":"completed"}', stamp: 5, at: 1000 });
    const query = `SELECT status, result, reason FROM ${fixture.keyspace}.statuses WHERE runid = ?`;
    const { rows } = await fixture.client.execute(query, [runId], { prepare: true });
    expect({ ...rows[0] }).toEqual({ status: 'completed', result: '{"status":"completed"}', reason: null });
  });
});

describe('a foreign run', () => {
  it('is what its client wrote, with the highest write time', async () => {
    const runId = newRun();
    expect(await store.foreign(runId)).toBeUndefined();
    const insert = (table: string, columns: string, values: unknown[], stamp: number) =>
      fixture.client.execute(
        `INSERT INTO ${fixture.keyspace}.${table} (runid, ${columns}) VALUES (?${', ?'.repeat(values.length)}) USING TIMESTAMP ?`,
        [runId, ...values, types.Long.fromNumber(stamp)],
        { prepare: true },
      );
    await insert('statuses', 'status, updated_at', ['running', new Date()], 2000);
    expect(await store.foreign(runId)).toEqual({ stamp: 2000 });
    await insert('contexts', 'data', ['{"a":1}'], 3000);
    expect(await store.foreign(runId)).toEqual({ data: '{"a":1}', stamp: 3000 });
  });
});

describe('closing', () => {
  it('leaves a client alone that the user made', async () => {
    const borrowed = await fixture.ready({ source: fixture.client });
    await borrowed.close();
    expect((await fixture.client.execute('SELECT key FROM system.local')).rows).toHaveLength(1);
    await expect(borrowed.run('x')).rejects.toMatchObject({ code: 'FLOW_ILLEGAL_STATE' });
  });
});
