import { CassandraSchema, replicationMap } from '../../../../src/drivers/cassandra/cassandra-schema.js';

describe('names in the schema', () => {
  it('are as Cassandra lists them: lower case', () => {
    const schema = new CassandraSchema({ keyspace: 'Flow_KS', contextTableName: 'MyContexts' });
    expect(schema.name('contexts')).toBe('flow_ks.mycontexts');
    expect(schema.name('statuses')).toBe('flow_ks.statuses');
  });

  it.each(['', '1st', 'a-b', 'a b', 'ks; DROP KEYSPACE x', 'a'.repeat(49), 'ü', '"quoted"'])('refuse %j', (name) => {
    expect(() => new CassandraSchema({ keyspace: name })).toThrow('keyspace');
    expect(() => new CassandraSchema({ keyspace: 'ks', contextTableName: name })).toThrow('contextTableName');
    expect(() => new CassandraSchema({ keyspace: 'ks', statusTableName: name })).toThrow('statusTableName');
  });

  it('are told all at once', () => {
    const broken = () => new CassandraSchema({ keyspace: '', contextTableName: '1', statusTableName: '2' });
    expect(broken).toThrow(
      expect.objectContaining({ problems: [expect.anything(), expect.anything(), expect.anything()] }),
    );
  });

  it('may not be used for two tables', () => {
    const same = () => new CassandraSchema({ keyspace: 'ks', contextTableName: 'Tables', statusTableName: 'tables' });
    expect(same).toThrow("'Tables' is the name of another table");
    expect(() => new CassandraSchema({ keyspace: 'ks', statusTableName: 'runs' })).toThrow("'runs'");
  });
});

describe('replication', () => {
  it('is a number, or one per data centre', () => {
    expect(replicationMap(3)).toBe("{'class': 'SimpleStrategy', 'replication_factor': 3}");
    expect(replicationMap({ dc1: 3, 'dc-2': 2 })).toBe("{'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc-2': 2}");
  });

  it.each([0, -1, 1.5, NaN, {}, { dc1: 0 }, { "dc'": 1 }])('refuses %j', (replication) => {
    expect(() => replicationMap(replication as number)).toThrow('provision.replication');
  });
});

describe('the tables of a run', () => {
  it('all have the run id as their partition key, so that a batch over them is one mutation', () => {
    const { tables } = new CassandraSchema({ keyspace: 'ks' });
    for (const role of ['contexts', 'statuses', 'runs', 'values', 'turns'] as const) {
      expect(tables[role].partitionKey).toEqual(['runid']);
    }
  });
});
