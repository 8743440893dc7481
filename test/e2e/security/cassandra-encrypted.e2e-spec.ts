import { randomBytes } from 'node:crypto';
import { AesValueCipher } from '../../../src/drivers/encryption/aes-value-cipher.js';
import { SealedRunStore } from '../../../src/drivers/encryption/sealed-run-store.js';
import { CassandraContext, ErrorCode } from '../../../src/index.js';
import { runStoreContract } from '../../contract/run-store-contract.js';
import { CassandraFixture } from '../../support/cassandra-fixture.js';
import { runRecord } from '../../support/run-records.js';
import { turnRecord } from '../../support/turn-records.js';

const SECRET = 'P4Y104D';
const cipher = new AesValueCipher({ keys: { k1: randomBytes(32) }, activeKeyId: 'k1' });

runStoreContract('Cassandra, encrypted', async () => {
  const fixture = new CassandraFixture();
  const query = `INSERT INTO ${fixture.keyspace}.contexts (runid, data) VALUES (?, ?)`;
  return {
    store: new SealedRunStore(await fixture.ready(), cipher),
    close: () => fixture.close(),
    writeForeign: async (runId, data) => void (await fixture.client.execute(query, [runId, data], { prepare: true })),
  };
});

describe('a CassandraContext of an encrypted run', () => {
  const fixture = new CassandraFixture();
  const run = runRecord({ input: JSON.stringify({ initial: JSON.stringify({ v: SECRET }) }) });
  const source = { client: fixture.client, keyspace: fixture.keyspace, tableName: 'contexts' };

  beforeAll(async () => {
    const store = new SealedRunStore(await fixture.ready(), cipher);
    await store.accept(run);
    const record = turnRecord('a', { token: 2, output: JSON.stringify({ v: `${SECRET}!` }) });
    const values = [{ key: '_outputs.a', ref: { nodeId: 'a', turn: record.turn } }];
    await store.write({ runId: run.runId, record, values });
  }, 60_000);
  afterAll(() => fixture.close(), 60_000);

  it('reads and writes what the nodes read and write', async () => {
    const context = new CassandraContext(run.runId, { ...source, cipher });
    await context.set('own', SECRET.repeat(2));
    expect(await context.get('initial')).toBe(SECRET);
    expect(await context.get('a')).toBe(`${SECRET}!`);
    expect(await context.toJSON()).toEqual({
      initial: SECRET,
      own: SECRET.repeat(2),
      a: `${SECRET}!`,
      '_outputs.a': `${SECRET}!`,
    });
    const tables = ['runs', 'context_values', 'node_turns'];
    const rows = await Promise.all(
      tables.map((table) => fixture.client.execute(`SELECT * FROM ${fixture.keyspace}.${table}`)),
    );
    const text = JSON.stringify(rows.map((result) => result.rows));
    expect(text).toContain('enc1:k1:');
    expect(text).not.toContain(SECRET);
  });

  it('says by a code that it lacks the key', async () => {
    const context = new CassandraContext(run.runId, source);
    for (const key of ['initial', 'a', 'own'])
      await expect(context.get(key)).rejects.toMatchObject({ code: ErrorCode.EncryptionKeyUnknown });
  });
});
