import { inspect } from 'node:util';
import { randomUUID } from 'node:crypto';
import { CassandraContext } from '../../../src/drivers/cassandra/cassandra-context.js';
import type { CassandraRunStore } from '../../../src/drivers/cassandra/cassandra-run-store.js';
import { CassandraFixture, newKeyspace, pageCommands } from '../../support/cassandra-fixture.js';
import { runRecord } from '../../support/run-records.js';
import { turnRecord } from '../../support/turn-records.js';

const fixture = new CassandraFixture();
let store: CassandraRunStore;
const newRun = () => `run-${randomUUID()}`;
const contextOf = (runId: string, keyspace = fixture.keyspace) =>
  new CassandraContext(runId, { client: fixture.client, keyspace, tableName: 'contexts' });

async function foreignData(runId: string, data: string): Promise<void> {
  const query = `INSERT INTO ${fixture.keyspace}.contexts (runid, data) VALUES (?, ?)`;
  await fixture.client.execute(query, [runId, data], { prepare: true });
}

beforeAll(async () => {
  store = await fixture.ready();
}, 60_000);

afterAll(async () => {
  await fixture.close();
}, 60_000);

describe('CassandraContext', () => {
  it('gives back what was set, and nothing for other keys', async () => {
    const runId = newRun();
    const context = contextOf(runId);
    await context.set('a', { b: [1, null, 'ü'] });
    expect(await contextOf(runId).get('a')).toEqual({ b: [1, null, 'ü'] });
    expect(await context.has('a')).toBe(true);
    expect(await context.get('z')).toBeUndefined();
    expect(await context.has('z')).toBe(false);
    expect(await context.toJSON()).toEqual({ a: { b: [1, null, 'ü'] } });
  });

  it("reads the page's row under what was set, and leaves it as it is", async () => {
    const runId = newRun();
    await foreignData(runId, '{"a":1,"b":2,"c":3}');
    const context = contextOf(runId);
    await context.set('b', 20);
    expect(await context.delete('c')).toBe(true);
    expect(await context.delete('c')).toBe(false);
    expect(await context.delete('never')).toBe(false);
    expect([await context.get('a'), await context.get('b'), await context.has('c')]).toEqual([1, 20, false]);
    expect(await context.toJSON()).toEqual({ a: 1, b: 20 });
    expect(await store.foreign(runId)).toMatchObject({ data: '{"a":1,"b":2,"c":3}' });
  });

  it('reads the input of a run that was accepted', async () => {
    const runId = newRun();
    await store.accept(runRecord({ runId, input: JSON.stringify({ a: '{"v":7}' }) }));
    expect(await contextOf(runId).toJSON()).toEqual({ a: 7 });
  });

  it("shows a node's output under both names, through references, and lets a later set hold", async () => {
    const runId = newRun();
    const context = contextOf(runId);
    const ref = { nodeId: 'n', turn: '1' };
    await store.write({
      runId,
      record: turnRecord('n', { token: Date.now() * 1000, output: '{"v":{"x":1}}' }),
      values: [
        { key: '_outputs.n', ref },
        { key: '_inputs.m', ref },
        { key: '\u0001own', value: '{"v":1}' },
      ],
    });
    const x = { x: 1 };
    expect(await context.get('n')).toEqual(x);
    expect(await context.get('_inputs.m')).toEqual(x);
    expect(await context.toJSON()).toEqual({ '_outputs.n': x, n: x, '_inputs.m': x });
    expect(await context.has('\u0001own')).toBe(false);
    await context.set('n', 'mine');
    expect([await context.get('n'), await context.get('_outputs.n')]).toEqual(['mine', x]);
  });

  it('holds against an older write although this clock is behind', async () => {
    const runId = newRun();
    const ahead = (Date.now() + 3_600_000) * 1000;
    await store.write({ runId, record: turnRecord('n', { token: ahead }), values: [{ key: 'a', value: '{"v":1}' }] });
    await contextOf(runId).set('a', 2);
    expect(await contextOf(runId).get('a')).toBe(2);
  });

  it('loses no key when two write at once', async () => {
    const runId = newRun();
    const [one, two] = [contextOf(runId), contextOf(runId)];
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key, i) => (i % 2 === 0 ? one : two).set(key, i)));
    expect(await one.toJSON()).toEqual(Object.fromEntries(keys.map((key, i) => [key, i])));
  });

  it('applies a patch as one, in order', async () => {
    const runId = newRun();
    await foreignData(runId, '{"gone":1,"stays":2}');
    const context = contextOf(runId);
    await context.patch([
      { op: 'set', key: 'a', value: 1 },
      { op: 'delete', key: 'gone' },
      { op: 'set', key: 'a', value: 2 },
    ]);
    await context.patch([]);
    expect(await context.toJSON()).toEqual({ stays: 2, a: 2 });
  });

  it.each(['__proto__', 'constructor', 'prototype', '\u0001own'])('refuses the key %j', async (key) => {
    await expect(contextOf(newRun()).set(key, 1)).rejects.toMatchObject({ code: 'FLOW_CONTEXT_KEY_REFUSED' });
  });

  it('refuses what it cannot carry', async () => {
    const serializer = {
      serialize: (): string => {
        throw new TypeError('not this');
      },
      deserialize: () => ({}),
    };
    const picky = { client: fixture.client, keyspace: fixture.keyspace, tableName: 'contexts', serializer };
    const refused = new CassandraContext(newRun(), picky).set('a', 1);
    await expect(refused).rejects.toMatchObject({ code: 'FLOW_VALUE_NOT_SERIALIZABLE' });
    const large = contextOf(newRun()).set('a', 'x'.repeat(2_000_000));
    await expect(large).rejects.toMatchObject({ code: 'FLOW_VALUE_TOO_LARGE' });
  });

  it('says so when the initial context is no JSON object', async () => {
    const runId = newRun();
    for (const [data, problem] of [
      ['{"a": "P4Y104D', 'is no JSON'],
      ['["P4Y104D"]', 'is no JSON object'],
    ] as const) {
      await foreignData(runId, data);
      const error: unknown = await contextOf(runId)
        .get('a')
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'FLOW_FOREIGN_CONTEXT_INVALID', message: expect.stringContaining(problem) });
      expect(inspect(error)).not.toContain('P4Y104D');
    }
  });

  it('uses the serializer that it is given', async () => {
    const serializer = {
      serialize: (data: Record<string, unknown>) => `#${JSON.stringify(data)}`,
      deserialize: (text: string) => JSON.parse(text.slice(1)) as Record<string, unknown>,
    };
    const options = { client: fixture.client, keyspace: fixture.keyspace, tableName: 'contexts', serializer };
    const runId = newRun();
    await foreignData(runId, '{"base":1}');
    const context = new CassandraContext(runId, options);
    await context.set('a', 2);
    expect(await context.toJSON()).toEqual({ base: 1, a: 2 });
    expect((await store.values(runId, ['a'], []))[0]?.value).toBe('#{"v":2}');
  });

  it("names the statement where only the page's tables are", async () => {
    const keyspace = newKeyspace();
    await fixture.run(...pageCommands(keyspace));
    const context = contextOf(newRun(), keyspace);
    for (const use of [context.get('a'), context.set('a', 1), context.toJSON()]) {
      await expect(use).rejects.toMatchObject({
        code: 'FLOW_SCHEMA_MISSING',
        message: expect.stringContaining(`CREATE TABLE IF NOT EXISTS ${keyspace}.`),
      });
    }
    await fixture.run(`DROP KEYSPACE ${keyspace}`);
  }, 30_000);
});
