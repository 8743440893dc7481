import { ConfigurationError } from '../../core/errors.js';
import { cqlNameProblem, dataCentreProblem } from '../../core/names.js';

const DAY_SECONDS = 86_400;

export const RUN_INDEX_DAYS = 30;

/** Copies of each row: a number for SimpleStrategy, or a number per data centre for NetworkTopologyStrategy. */
export type CassandraReplication = number | Readonly<Record<string, number>>;

export interface Table {
  /** As Cassandra lists it: identifiers that are not quoted are lower case. */
  readonly name: string;
  /** CQL type by column, in order. */
  readonly columns: Readonly<Record<string, string>>;
  readonly primaryKey: string;
  readonly partitionKey: readonly string[];
  readonly properties?: string;
}

export type TableRole =
  | 'contexts'
  | 'statuses'
  | 'runs'
  | 'values'
  | 'turns'
  | 'blueprints'
  | 'index'
  | 'timers'
  | 'timerMarks'
  | 'redriven'
  | 'webhooks'
  | 'calls';

export interface SchemaNames {
  readonly keyspace: string;
  /** Default 'contexts'. */
  readonly contextTableName?: string;
  /** Default 'statuses'. */
  readonly statusTableName?: string;
}

/**
 * Every table, and the CQL that makes it. All tables of a run share the partition key `runid`, so that a batch over
 * the rows of one run is one mutation: all of it is applied, or nothing.
 */
export class CassandraSchema {
  readonly keyspace: string;
  readonly tables: Readonly<Record<TableRole, Table>>;

  /** @throws ConfigurationError for a name that is no identifier, or is used twice */
  constructor(names: SchemaNames) {
    const { contextTableName = 'contexts', statusTableName = 'statuses' } = names;
    assertNames({ keyspace: names.keyspace, contextTableName, statusTableName });
    this.keyspace = names.keyspace.toLowerCase();
    this.tables = tablesOf(contextTableName.toLowerCase(), statusTableName.toLowerCase());
    assertDistinct(this.tables, { contextTableName, statusTableName });
  }

  /** The name of a table as statements use it. */
  name(role: TableRole): string {
    return `${this.keyspace}.${this.tables[role].name}`;
  }

  createKeyspace(replication: CassandraReplication): string {
    return `CREATE KEYSPACE IF NOT EXISTS ${this.keyspace} WITH replication = ${replicationMap(replication)}`;
  }

  createTable(table: Table): string {
    const columns = Object.entries(table.columns).map(([column, type]) => `${column} ${type}`);
    const properties = table.properties === undefined ? '' : ` WITH ${table.properties}`;
    return `CREATE TABLE IF NOT EXISTS ${this.keyspace}.${table.name} (${columns.join(', ')}, PRIMARY KEY (${table.primaryKey}))${properties}`;
  }

  addColumn(table: Table, column: string): string {
    return `ALTER TABLE ${this.keyspace}.${table.name} ADD ${column} ${table.columns[column] ?? 'text'}`;
  }
}

/** @throws ConfigurationError */
export function replicationMap(replication: CassandraReplication): string {
  const problem = (message: string) => new ConfigurationError([{ path: 'provision.replication', message }]);
  const isFactor = (n: unknown) => typeof n === 'number' && Number.isInteger(n) && n >= 1;
  if (typeof replication === 'number') {
    if (!isFactor(replication)) throw problem('must be a whole number from 1, or one per data centre');
    return `{'class': 'SimpleStrategy', 'replication_factor': ${replication}}`;
  }
  const centres = Object.entries(replication);
  if (centres.length === 0) throw problem('names no data centre');
  for (const [centre, factor] of centres) {
    if (dataCentreProblem(centre) !== undefined) throw problem(`'${centre}' is no name of a data centre`);
    if (!isFactor(factor)) throw problem(`the number for '${centre}' must be a whole number from 1`);
  }
  const entries = centres.map(([centre, factor]) => `'${centre}': ${factor}`);
  return `{'class': 'NetworkTopologyStrategy', ${entries.join(', ')}}`;
}

function tablesOf(contexts: string, statuses: string): Record<TableRole, Table> {
  return {
    // The page's two tables; what is absent in a status is null there, because the page's client reads it so.
    contexts: byRun(contexts, { runid: 'text', data: 'text' }),
    statuses: byRun(statuses, {
      runid: 'text',
      status: 'text',
      updated_at: 'timestamp',
      result: 'text',
      reason: 'text',
    }),
    // Written by lightweight transactions, after one plain write at most, which is stamped below all of them.
    runs: byRun('runs', {
      runid: 'text',
      blueprint_id: 'text',
      blueprint_version: 'text',
      blueprint_hash: 'text',
      input: 'text',
      input_hash: 'text',
      tags: 'frozen<list<text>>',
      parent: 'text',
      options: 'text',
      created_at: 'timestamp',
      accepted_by: 'text',
      status: 'text',
      ended_at: 'timestamp',
      ended_by: 'text',
      reason: 'text',
      retries: 'int',
      retry: 'text',
    }),
    // Rows of these two are always written in full and without nulls: a null is a tombstone for readers, and a cell
    // that was left out would let the cell of an older, fenced write show through.
    values: {
      name: 'context_values',
      columns: { runid: 'text', key: 'text', deleted: 'boolean', is_ref: 'boolean', value: 'text' },
      primaryKey: '(runid), key',
      partitionKey: ['runid'],
    },
    turns: {
      name: 'node_turns',
      columns: {
        runid: 'text',
        node_id: 'text',
        turn: 'text',
        fencing_token: 'bigint',
        status: 'text',
        action: 'text',
        worker: 'text',
        attempts: 'int',
        claims: 'int',
        started_at: 'timestamp',
        ended_at: 'timestamp',
        error: 'text',
        detail: 'text',
        output: 'text',
      },
      primaryKey: '(runid), node_id, turn',
      partitionKey: ['runid'],
    },
    blueprints: {
      name: 'blueprints',
      columns: { blueprint_id: 'text', hash: 'text', version: 'text', body: 'text' },
      primaryKey: '(blueprint_id, hash)',
      partitionKey: ['blueprint_id', 'hash'],
    },
    index: {
      name: 'run_index',
      columns: { day: 'date', shard: 'tinyint', created_at: 'timestamp', runid: 'text', blueprint_id: 'text' },
      primaryKey: '(day, shard), created_at, runid',
      partitionKey: ['day', 'shard'],
      properties:
        `CLUSTERING ORDER BY (created_at DESC, runid DESC) AND default_time_to_live = ${RUN_INDEX_DAYS * DAY_SECONDS}` +
        ` AND compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', 'compaction_window_size': 1}`,
    },
    // Never deleted from: each row has a time to live that ends long after it was due.
    timers: {
      name: 'timers',
      columns: {
        bucket: 'timestamp',
        shard: 'tinyint',
        due: 'timestamp',
        runid: 'text',
        kind: 'text',
        node_id: 'text',
        turn: 'text',
        done: 'boolean',
      },
      primaryKey: '(bucket, shard), due, runid, kind, node_id, turn',
      partitionKey: ['bucket', 'shard'],
    },
    redriven: {
      name: 'redriven_dead_letters',
      columns: {
        topic: 'text',
        partition_id: 'int',
        letter_offset: 'bigint',
        failed_at: 'text',
        redriven_at: 'timestamp',
      },
      primaryKey: '(topic, partition_id), letter_offset',
      partitionKey: ['topic', 'partition_id'],
    },
    // A row for each URL that was made, until some time after it has expired. The token itself is nowhere.
    webhooks: {
      name: 'webhooks',
      columns: {
        hash: 'text',
        runid: 'text',
        node_id: 'text',
        turn: 'text',
        expires_at: 'timestamp',
        used: 'boolean',
      },
      primaryKey: 'hash',
      partitionKey: ['hash'],
    },
    // Written by lightweight transactions only: they decide which call to a turn is the first.
    calls: {
      name: 'webhook_calls',
      columns: {
        runid: 'text',
        node_id: 'text',
        turn: 'text',
        call_id: 'text',
        output: 'text',
        received_at: 'timestamp',
      },
      primaryKey: '(runid), node_id, turn',
      partitionKey: ['runid'],
    },
    timerMarks: {
      name: 'timer_marks',
      columns: { name: 'text', moment: 'timestamp' },
      primaryKey: 'name',
      partitionKey: ['name'],
    },
  };
}

function byRun(name: string, columns: Record<string, string>): Table {
  return { name, columns, primaryKey: 'runid', partitionKey: ['runid'] };
}

function assertNames(names: Record<string, string>): void {
  const problems = Object.entries(names).flatMap(([path, name]) => {
    const problem = cqlNameProblem(name);
    return problem === undefined ? [] : [{ path, message: `${problem}: '${name}'` }];
  });
  if (problems.length > 0) throw new ConfigurationError(problems);
}

function assertDistinct(tables: Record<TableRole, Table>, given: Record<string, string>): void {
  const names = Object.values(tables).map((table) => table.name);
  const problems = Object.entries(given)
    .filter(([, name]) => names.filter((other) => other === name.toLowerCase()).length > 1)
    .map(([path, name]) => ({ path, message: `'${name}' is the name of another table; choose another` }));
  if (problems.length > 0) throw new ConfigurationError(problems);
}
