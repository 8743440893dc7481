import type { Client } from 'cassandra-driver';
import type { ISerializer } from 'flowcraft';
import type { ValueCipher } from '../core/value-cipher.js';
import { IllegalStateError } from '../core/errors.js';
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

/**
 * What is injected for CassandraContext. There is one for each run, and this is of none: `forRun(runId)` gives that of a
 * run, as CassandraContextFactory does; all else throws IllegalStateError.
 */
export class ContextOfNoRun extends CassandraContext {
  constructor(source: CassandraContextSource) {
    super('', source);
  }

  override get(): Promise<never> {
    return refuse('get');
  }

  override set(): Promise<never> {
    return refuse('set');
  }

  override has(): Promise<never> {
    return refuse('has');
  }

  override delete(): Promise<never> {
    return refuse('delete');
  }

  override patch(): Promise<never> {
    return refuse('patch');
  }

  override toJSON(): Promise<never> {
    return refuse('toJSON');
  }
}

/** At once: whoever prints the object would leave a promise behind that nobody waits for. */
function refuse(method: string): never {
  throw new IllegalStateError(
    `The injected CassandraContext is of no run, so it has no ${method}(). Call forRun(runId) first.`,
  );
}
