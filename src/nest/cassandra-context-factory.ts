import type { Client } from 'cassandra-driver';
import type { ISerializer } from 'flowcraft';
import type { ValueCipher } from '../core/value-cipher.js';
import { CassandraContext } from '../drivers/cassandra/cassandra-context.js';

export interface CassandraContextSource {
  readonly client: Client;
  readonly keyspace: string;
  readonly tableName: string;
  readonly maxValueBytes: number;
  readonly maxValueDepth: number;
  /** That of the drivers. */
  readonly cipher: ValueCipher;
  /** The engine's own. */
  readonly serializer: ISerializer;
}

/** Makes flowcraft contexts of runs, which read and write what the nodes of the run see. */
export class CassandraContextFactory {
  constructor(private readonly source: CassandraContextSource) {}

  /** The context of one run. Nothing is read yet, and nobody checks that the run exists. */
  create(runId: string): CassandraContext {
    return new CassandraContext(runId, this.source);
  }
}
