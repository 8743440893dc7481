import { randomUUID } from 'node:crypto';
import { Client } from 'cassandra-driver';
import { CassandraRunStore, type CassandraRunStoreOptions } from '../../src/drivers/cassandra/cassandra-run-store.js';
import { RecordingLogger } from './recording-logger.js';

export const CONTACT_POINTS = (process.env['CASSANDRA_CONTACT_POINTS'] ?? '127.0.0.1:9042').split(',');
export const DATA_CENTRE = process.env['CASSANDRA_DATACENTER'] ?? 'datacenter1';
export const SOURCE = { contactPoints: CONTACT_POINTS, localDataCenter: DATA_CENTRE };

export function newKeyspace(): string {
  return `test_${randomUUID().replaceAll('-', '')}`;
}

/** The commands of the adapter's page, word for word but for the name of the keyspace. */
export function pageCommands(keyspace: string): string[] {
  return [
    `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH REPLICATION = {'class': 'SimpleStrategy', 'replication_factor': 1};`,
    `CREATE TABLE ${keyspace}.contexts (runId text PRIMARY KEY, data text);`,
    `CREATE TABLE ${keyspace}.statuses (runId text PRIMARY KEY, status text, updated_at timestamp);`,
  ];
}

/** A client of the test's own, a fresh keyspace name, and stores on it; `close` removes all of it. */
export class CassandraFixture {
  readonly logger = new RecordingLogger();
  readonly client = new Client({ ...SOURCE, socketOptions: { readTimeout: 30_000 } });
  private readonly stores: CassandraRunStore[] = [];
  private readonly keyspaces = new Set<string>();

  constructor(readonly keyspace = newKeyspace()) {
    this.keyspaces.add(keyspace);
  }

  /** A store that is not connected yet. */
  store(options: Partial<CassandraRunStoreOptions> = {}): CassandraRunStore {
    const all = { source: SOURCE, keyspace: this.keyspace, ...options };
    this.keyspaces.add(all.keyspace);
    const store = new CassandraRunStore(all, this.logger);
    this.stores.push(store);
    return store;
  }

  async ready(options: Partial<CassandraRunStoreOptions> = {}): Promise<CassandraRunStore> {
    const store = this.store(options);
    await store.connect();
    await store.provision();
    return store;
  }

  async run(...statements: string[]): Promise<void> {
    for (const statement of statements) await this.client.execute(statement);
  }

  async closeStores(): Promise<void> {
    await Promise.all(this.stores.splice(0).map((store) => store.close()));
  }

  async close(): Promise<void> {
    await this.closeStores();
    for (const keyspace of this.keyspaces) await this.client.execute(`DROP KEYSPACE IF EXISTS ${keyspace}`);
    await this.client.shutdown();
  }
}
