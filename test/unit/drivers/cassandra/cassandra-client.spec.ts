import { inspect } from 'node:util';
import { Client, types } from 'cassandra-driver';
import { CassandraConnection } from '../../../../src/drivers/cassandra/cassandra-client.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const { consistencies } = types;
const source = { contactPoints: ['127.0.0.1:19042'], localDataCenter: 'dc1' };
const optionsOf = (connection: CassandraConnection) =>
  (connection.client as unknown as { options: Record<string, Record<string, unknown>> }).options;

describe('a client of our own', () => {
  it('has the settings that find a dead server soon', async () => {
    const connection = new CassandraConnection({ source }, new RecordingLogger());
    expect(optionsOf(connection)).toMatchObject({
      socketOptions: { readTimeout: 3000, connectTimeout: 2000 },
      pooling: { heartBeatInterval: 5000 },
      policies: { reconnection: { delay: 500 } },
      queryOptions: { consistency: consistencies.localQuorum, serialConsistency: consistencies.localSerial },
    });
    await connection.close();
  });

  it('takes what the user says instead', async () => {
    const given = {
      ...source,
      socketOptions: { readTimeout: 9000 },
      pooling: { heartBeatInterval: 1 },
      queryOptions: { consistency: consistencies.quorum, fetchSize: 7 },
    };
    const connection = new CassandraConnection({ source: given }, new RecordingLogger());
    expect(connection.readTimeoutMs).toBe(9000);
    expect(connection.consistency).toBe(consistencies.quorum);
    expect(optionsOf(connection)).toMatchObject({
      socketOptions: { readTimeout: 9000, connectTimeout: 2000 },
      pooling: { heartBeatInterval: 1 },
      queryOptions: { consistency: consistencies.quorum, fetchSize: 7 },
    });
    await connection.close();
  });

  it('can be made from a cloud bundle', async () => {
    const cloud = {
      cloud: { secureConnectBundle: '/nowhere/bundle.zip' },
      credentials: { username: 'u', password: 'p' },
    };
    const connection = new CassandraConnection({ source: cloud, connectTimeoutMs: 1 }, new RecordingLogger());
    await expect(connection.connect()).rejects.toMatchObject({ code: 'FLOW_CONNECT_FAILED' });
    await connection.close();
  });

  it('says what it does not use or what may lose data', async () => {
    const logger = new RecordingLogger();
    const given = { ...source, keyspace: 'other', queryOptions: { consistency: consistencies.localOne } };
    const connection = new CassandraConnection({ source: given }, logger);
    const warnings = logger.lines.filter((line) => line.level === 'warn').map((line) => line.message);
    expect(warnings).toEqual([expect.stringContaining("'other'"), expect.stringContaining('localOne')]);
    await connection.close();
  });

  it('is refused with a ConfigurationError if the driver cannot use the options', () => {
    const make = () => new CassandraConnection({ source: { localDataCenter: 'dc1' } }, new RecordingLogger());
    expect(make).toThrow(expect.objectContaining({ code: 'FLOW_CONFIGURATION' }));
  });

  it('shows no password', async () => {
    const given = { ...source, credentials: { username: 'me', password: 'secret-word' } };
    const connection = new CassandraConnection({ source: given }, new RecordingLogger());
    expect(inspect(connection, { depth: 20 })).not.toContain('secret-word');
    expect(JSON.stringify(connection)).not.toContain('secret-word');
    await connection.close();
  });

  it('cannot be connected any more once it is closed', async () => {
    const connection = new CassandraConnection({ source }, new RecordingLogger());
    await connection.close();
    await expect(connection.connect()).rejects.toMatchObject({ code: 'FLOW_ILLEGAL_STATE' });
  });
});

describe('a client that the user made', () => {
  it('is used as it is, with our consistency', () => {
    const client = new Client(source);
    const connection = new CassandraConnection({ source: client }, new RecordingLogger());
    expect(connection.client).toBe(client);
    expect(connection.consistency).toBe(consistencies.localQuorum);
    expect(optionsOf(connection)['socketOptions']).toMatchObject({ readTimeout: 12_000 });
  });
});
