import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigurationError, SchemaMissingError, UnavailableError } from '../../core/errors.js';
import type { Logger } from '../../ports/logger.js';
import type { CassandraConnection } from './cassandra-client.js';
import { isRefused, isReplicationRefused, isUnauthorized, translated } from './cassandra-errors.js';
import type { CassandraReplication, CassandraSchema, Table } from './cassandra-schema.js';

const KEYSPACE_OPTION = 'provision.keyspace';
const STATEMENT_TIMEOUT_MS = 20_000;
const PROVISION_TIMEOUT_MS = 60_000;
const PAUSE_MS = 200;
/** From so many hosts on, one copy of each row looks like an oversight. */
const CLUSTER_HOSTS = 3;

export type ProvisionMode = 'create' | 'verify' | 'off';

export interface CassandraProvisioning {
  /** Default 'create'. */
  readonly keyspace?: ProvisionMode;
  /** Default 'create'. */
  readonly tables?: ProvisionMode;
  /** Only for a keyspace that is created. Default 1, in SimpleStrategy. */
  readonly replication?: CassandraReplication;
}

interface Missing {
  readonly what: string;
  readonly statement: string;
}

/**
 * Creates or verifies keyspace and tables. Any number of processes may do so at once: what another one created in the
 * meantime is found by looking again.
 */
export class CassandraProvisioner {
  constructor(
    private readonly connection: CassandraConnection,
    private readonly schema: CassandraSchema,
    private readonly settings: CassandraProvisioning,
    private readonly logger: Logger,
  ) {}

  /** @throws SchemaMissingError, ConfigurationError if a table has another shape, or the server refuses to create */
  async provision(): Promise<void> {
    const { keyspace = 'create', tables = 'create' } = this.settings;
    const both = keyspace === 'off' && tables !== 'off' ? 'verify' : keyspace;
    await this.ensure(both, KEYSPACE_OPTION, () => this.missingKeyspace());
    await this.ensure(tables, 'provision.tables', () => this.missingTables());
  }

  private async ensure(mode: ProvisionMode, option: string, look: () => Promise<Missing[]>): Promise<void> {
    if (mode === 'off') return;
    const end = performance.now() + PROVISION_TIMEOUT_MS;
    let lost: unknown;
    for (;;) {
      const missing = await this.untilServed(look, end);
      if (missing.length === 0) return;
      if (mode === 'verify') throw missingError(missing, option);
      if (performance.now() > end) throw translated(lost, 'creating the schema', this.schema);
      try {
        for (const { what, statement } of missing) {
          await this.create(statement);
          this.logger.log(`Created in Cassandra: ${what}`);
        }
      } catch (error) {
        if (isUnauthorized(error)) throw missingError(missing, option, error);
        const isKeyspace = option === KEYSPACE_OPTION;
        if (isKeyspace ? isReplicationRefused(error) : isRefused(error))
          throw refused(isKeyspace ? 'provision.keyspaceReplication' : option, missing, error);
        // Another process creates the same at this moment, or the server was too slow: look again what is there.
        lost = error;
        this.logger.debug('Creating the schema in Cassandra is tried again', { error });
        await sleep(PAUSE_MS + Math.random() * PAUSE_MS);
      }
    }
  }

  /** A server may be restarting just when this process starts. */
  private async untilServed<T>(look: () => Promise<T>, end: number): Promise<T> {
    for (;;) {
      try {
        return await look();
      } catch (error) {
        if (!(error instanceof UnavailableError) || performance.now() > end || this.connection.isClosed) throw error;
        this.logger.debug('Looking at the schema in Cassandra is tried again', { error });
        await sleep(PAUSE_MS + Math.random() * PAUSE_MS);
      }
    }
  }

  private async create(statement: string): Promise<void> {
    const { client, consistency } = this.connection;
    await client.execute(statement, [], { prepare: false, consistency, readTimeout: STATEMENT_TIMEOUT_MS });
    // Public in the driver, but absent from its types.
    const agreement = client.metadata as unknown as { checkSchemaAgreement(): Promise<boolean> };
    // The driver has waited for some seconds already; on a schema that differs between hosts nothing may be built.
    const end = performance.now() + STATEMENT_TIMEOUT_MS;
    while (client.hosts.length > 1 && !(await agreement.checkSchemaAgreement())) {
      if (performance.now() > end) {
        this.logger.warn(
          'The Cassandra hosts did not agree on the schema yet; check the cluster with "nodetool describecluster".',
        );
        return;
      }
      await sleep(PAUSE_MS);
    }
  }

  private async missingKeyspace(): Promise<Missing[]> {
    const { keyspace } = this.schema;
    const { replication = 1 } = this.settings;
    const query = 'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?';
    const rows = await this.read(query, [keyspace]);
    if (rows.length > 0) return [];
    if (
      replication === 1 &&
      this.settings.keyspace !== 'verify' &&
      this.connection.client.hosts.length >= CLUSTER_HOSTS
    ) {
      this.logger.warn(
        `The keyspace '${keyspace}' is created with one copy of each row, though there are ${this.connection.client.hosts.length} hosts: set provision.keyspaceReplication.`,
      );
    }
    return [{ what: `keyspace '${keyspace}'`, statement: this.schema.createKeyspace(replication) }];
  }

  private async missingTables(): Promise<Missing[]> {
    const query = 'SELECT table_name, column_name, kind, type FROM system_schema.columns WHERE keyspace_name = ?';
    const found = new Map<string, Map<string, { kind: string; type: string }>>();
    for (const row of await this.read(query, [this.schema.keyspace])) {
      const columns = found.get(String(row['table_name'])) ?? new Map<string, { kind: string; type: string }>();
      columns.set(String(row['column_name']), { kind: String(row['kind']), type: String(row['type']) });
      found.set(String(row['table_name']), columns);
    }
    return Object.values(this.schema.tables).flatMap((table) => {
      const columns = found.get(table.name);
      if (!columns)
        return [{ what: `table '${this.schema.keyspace}.${table.name}'`, statement: this.schema.createTable(table) }];
      this.assertShape(table, columns);
      return Object.keys(table.columns)
        .filter((column) => !columns.has(column))
        .map((column) => ({
          what: `column '${this.schema.keyspace}.${table.name}.${column}'`,
          statement: this.schema.addColumn(table, column),
        }));
    });
  }

  /** A key can't be added or changed later, nor can the type of a column. */
  private assertShape(table: Table, found: ReadonlyMap<string, { kind: string; type: string }>): void {
    const name = `${this.schema.keyspace}.${table.name}`;
    const keys = [...found].filter(([, { kind }]) => kind === 'partition_key').map(([column]) => column);
    const key = table.partitionKey;
    if (keys.length !== key.length || !key.every((column) => keys.includes(column))) {
      throw otherShape(name, `its partition key is (${keys.join(', ')}), not (${key.join(', ')})`);
    }
    for (const [column, type] of Object.entries(table.columns)) {
      const { type: actual = type } = found.get(column) ?? {};
      if (actual !== type) throw otherShape(name, `the type of its column '${column}' is ${actual}, not ${type}`);
    }
  }

  private async read(query: string, params: unknown[]) {
    try {
      const { readTimeoutMs } = this.connection;
      const result = await this.connection.client.execute(query, params, {
        prepare: true,
        isIdempotent: true,
        readTimeout: readTimeoutMs,
        fetchSize: 5000,
      });
      return result.rows;
    } catch (error) {
      throw translated(error, 'reading the schema', this.schema);
    }
  }
}

function otherShape(table: string, difference: string): ConfigurationError {
  const message = `the table '${table}' exists, but ${difference}; use another keyspace, or another table name`;
  return new ConfigurationError([{ path: 'cassandra', message }]);
}

function refused(path: string, missing: readonly Missing[], cause: unknown): ConfigurationError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const statements = missing.map(({ statement }) => `${statement};`).join('\n');
  const message = `Cassandra refuses to create what is missing: ${why}\nChange the option, or create it yourself as the cluster can have it. This was refused:\n${statements}`;
  return new ConfigurationError([{ path, message }], { cause });
}

function missingError(missing: readonly Missing[], option: string, cause?: unknown): SchemaMissingError {
  const [first] = missing;
  const what =
    missing.length === 1 && first
      ? `In Cassandra the ${first.what}`
      : `In Cassandra, of ${missing.map((m) => m.what).join(', ')}, each`;
  const statements = missing.map(({ statement }) => `${statement};`).join('\n');
  return new SchemaMissingError(what, statements, option, cause === undefined ? undefined : { cause });
}
