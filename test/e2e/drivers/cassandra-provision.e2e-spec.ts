import { CassandraFixture, newKeyspace, pageCommands } from '../../support/cassandra-fixture.js';
import { runRecord } from '../../support/run-records.js';

const fixture = new CassandraFixture();
const TABLES = [
  'blueprints',
  'context_values',
  'contexts',
  'node_turns',
  'redriven_dead_letters',
  'run_index',
  'runs',
  'statuses',
  'timer_marks',
  'timers',
  'webhook_calls',
  'webhooks',
];

async function tablesOf(keyspace: string): Promise<string[]> {
  const query = 'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?';
  const { rows } = await fixture.client.execute(query, [keyspace], { prepare: true });
  return rows.map((row) => String(row['table_name'])).sort();
}

async function replicationOf(keyspace: string): Promise<Record<string, string>> {
  const query = 'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?';
  const { rows } = await fixture.client.execute(query, [keyspace], { prepare: true });
  return rows[0]?.['replication'] as Record<string, string>;
}

afterAll(async () => {
  await fixture.close();
}, 60_000);

describe('creating', () => {
  it('makes the keyspace and every table, and does nothing the second time', async () => {
    const keyspace = newKeyspace();
    const store = await fixture.ready({ keyspace });
    expect(await tablesOf(keyspace)).toEqual(TABLES);
    const lines = fixture.logger.lines.filter((line) => line.message.startsWith('Created')).length;
    await store.provision();
    expect(fixture.logger.lines.filter((line) => line.message.startsWith('Created'))).toHaveLength(lines);
  }, 30_000);

  it('follows the replication that was asked for', async () => {
    const [simple, topology] = [newKeyspace(), newKeyspace()];
    const only = { keyspace: 'create', tables: 'off' } as const;
    await fixture.ready({ keyspace: simple, provision: { ...only, replication: 2 } });
    await fixture.ready({ keyspace: topology, provision: { ...only, replication: { datacenter1: 1 } } });
    expect(await replicationOf(simple)).toMatchObject({
      class: expect.stringContaining('SimpleStrategy'),
      replication_factor: '2',
    });
    expect(await replicationOf(topology)).toMatchObject({
      class: expect.stringContaining('NetworkTopologyStrategy'),
      datacenter1: '1',
    });
    expect(await tablesOf(simple)).toEqual([]);
  }, 30_000);

  it("adds the columns that the page's tables lack, and keeps their rows", async () => {
    const keyspace = newKeyspace();
    await fixture.run(...pageCommands(keyspace));
    await fixture.run(`INSERT INTO ${keyspace}.statuses (runid, status, updated_at) VALUES ('old', 'running', 1000)`);
    const store = await fixture.ready({ keyspace });
    expect(await store.status('old')).toEqual({ status: 'running', updatedAt: 1000 });
    await store.writeStatus({ runId: 'new', status: 'completed', result: '{}', reason: 'r', stamp: 1, at: 2 });
    expect(await store.status('new')).toEqual({ status: 'completed', result: '{}', reason: 'r', updatedAt: 2 });
    expect(await tablesOf(keyspace)).toEqual(TABLES);
  }, 30_000);

  it("uses other names for the page's tables where they are given", async () => {
    const keyspace = newKeyspace();
    const store = await fixture.ready({ keyspace, contextTableName: 'MyContexts', statusTableName: 'my_statuses' });
    expect(await tablesOf(keyspace)).toEqual(expect.arrayContaining(['mycontexts', 'my_statuses']));
    await store.writeStatus({ runId: 'x', status: 'running', stamp: 1, at: 2 });
    expect(await store.status('x')).toEqual({ status: 'running', updatedAt: 2 });
    expect(await store.foreign('y')).toBeUndefined();
  }, 30_000);

  it.each([1, 2, 3])(
    'is safe for several processes at once (round %i)',
    async () => {
      const keyspace = newKeyspace();
      await fixture.run(...pageCommands(keyspace));
      const stores = Array.from({ length: 4 }, () => fixture.store({ keyspace }));
      await Promise.all(stores.map((store) => store.connect()));
      await Promise.all(stores.map((store) => store.provision()));
      expect(await tablesOf(keyspace)).toEqual(TABLES);
      const run = runRecord();
      const answers = await Promise.all(stores.map((store) => store.accept(run)));
      expect(answers.filter((a) => a.accepted)).toHaveLength(1);
    },
    60_000,
  );

  it('refuses at once a replication that the cluster cannot have, and names the option', async () => {
    const began = performance.now();
    const ready = fixture.ready({ keyspace: newKeyspace(), provision: { replication: { nodc: 1 } } });
    await expect(ready).rejects.toMatchObject({
      code: 'FLOW_CONFIGURATION',
      problems: [{ path: 'provision.keyspaceReplication', message: expect.stringContaining('nodc') }],
    });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('is safe for several processes at once where there is nothing, not even the keyspace', async () => {
    const keyspace = newKeyspace();
    const stores = Array.from({ length: 4 }, () => fixture.store({ keyspace }));
    await Promise.all(stores.map((store) => store.connect()));
    await Promise.all(stores.map((store) => store.provision()));
    expect(await tablesOf(keyspace)).toEqual(TABLES);
  }, 60_000);

  it('refuses a table of the same name with another key, and says which', async () => {
    const keyspace = newKeyspace();
    await fixture.run(
      ...pageCommands(keyspace).slice(0, 1),
      `CREATE TABLE ${keyspace}.contexts (run_id text PRIMARY KEY, context_data text)`,
    );
    await expect(fixture.ready({ keyspace })).rejects.toThrow(
      `the table '${keyspace}.contexts' exists, but its partition key is (run_id), not (runid)`,
    );
  }, 30_000);

  it('refuses a column of another type, and says which', async () => {
    const keyspace = newKeyspace();
    await fixture.run(...pageCommands(keyspace), `ALTER TABLE ${keyspace}.statuses ADD result blob`);
    await expect(fixture.ready({ keyspace })).rejects.toThrow("the type of its column 'result' is blob, not text");
  }, 30_000);
});

describe('verifying', () => {
  const verify = { keyspace: 'verify', tables: 'verify' } as const;

  it('names the statement for a missing keyspace', async () => {
    const keyspace = newKeyspace();
    const ready = fixture.ready({ keyspace, provision: { ...verify, replication: { datacenter1: 3 } } });
    await expect(ready).rejects.toMatchObject({
      code: 'FLOW_SCHEMA_MISSING',
      message:
        `In Cassandra the keyspace '${keyspace}' is missing. Run this, or set provision.keyspace to 'create':\n` +
        `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3};`,
    });
  });

  it('names every statement for missing tables and columns, and each of them works', async () => {
    const keyspace = newKeyspace();
    await fixture.run(...pageCommands(keyspace));
    const error = await fixture.ready({ keyspace, provision: verify }).then(
      () => new Error('nothing was missing'),
      (e: unknown) => e as Error,
    );
    expect(error).toMatchObject({ code: 'FLOW_SCHEMA_MISSING' });
    expect(error.message).toContain(`table '${keyspace}.runs'`);
    expect(error.message).toContain("set provision.tables to 'create'");
    expect(error.message).toContain(`ALTER TABLE ${keyspace}.statuses ADD result text;`);
    const statements = error.message.split('\n').slice(1);
    expect(statements).toHaveLength(TABLES.length);
    await fixture.run(...statements);
    await fixture.ready({ keyspace, provision: verify });
  }, 30_000);

  it('looks for the keyspace before it creates tables, even if it may not create the keyspace', async () => {
    const ready = fixture.ready({ keyspace: newKeyspace(), provision: { keyspace: 'off', tables: 'create' } });
    await expect(ready).rejects.toThrow("set provision.keyspace to 'create'");
  });
});

describe('without provisioning', () => {
  const off = { keyspace: 'off', tables: 'off' } as const;

  it('the first use of what is missing names the statement', async () => {
    const keyspace = newKeyspace();
    const store = await fixture.ready({ keyspace, provision: off });
    await expect(store.run('x')).rejects.toThrow(`CREATE KEYSPACE IF NOT EXISTS ${keyspace}`);
    await fixture.run(...pageCommands(keyspace));
    await expect(store.run('x')).rejects.toThrow(`CREATE TABLE IF NOT EXISTS ${keyspace}.runs (`);
    await expect(store.status('x')).rejects.toThrow(/ALTER TABLE \w+\.statuses ADD re(sult|ason) text;/);
    await expect(store.status('x')).rejects.toMatchObject({ code: 'FLOW_SCHEMA_MISSING' });
  }, 30_000);
});
