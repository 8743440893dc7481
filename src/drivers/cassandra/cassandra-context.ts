import type { Client } from 'cassandra-driver';
import { JsonSerializer, type IAsyncContext, type ISerializer, type PatchOperation } from 'flowcraft';
import {
  INPUT_KEY_PREFIX,
  isInternalKey,
  lookupKeys,
  OUTPUT_KEY_PREFIX,
  overlay,
  resolve,
  type Resolved,
} from '../../core/context-view.js';
import { ContextKeyRefusedError } from '../../core/errors.js';
import { assertContextKey } from '../../core/identifiers.js';
import { openOutput, openValue, sealValue } from '../../core/sealed-records.js';
import { NO_CIPHER, reading, type ValueCipher } from '../../core/value-cipher.js';
import { ValueCodec } from '../../core/value-codec.js';
import type { Logger } from '../../ports/logger.js';
import type { StoredValue, ValueWrite } from '../../ports/run-store.js';
import { CassandraBaseLayer } from './cassandra-base-layer.js';
import { CassandraConnection } from './cassandra-client.js';
import { CassandraContextRows } from './cassandra-context-rows.js';
import { CassandraJournal } from './cassandra-journal.js';
import { CassandraSchema } from './cassandra-schema.js';
import { CassandraSession } from './cassandra-session.js';
import { CassandraValues } from './cassandra-values.js';

const MAX_VALUE_BYTES = 1_048_576;
const SILENT: Logger = { debug: () => {}, log: () => {}, warn: () => {}, error: () => {} };

export interface CassandraContextOptions {
  readonly client: Client;
  readonly keyspace: string;
  /** The page's table of contexts. */
  readonly tableName: string;
  /** Must be the workers' own. Default: flowcraft's JsonSerializer. */
  readonly serializer?: ISerializer;
  /** UTF-8 bytes of one value after serialization. Default 1 MiB. */
  readonly maxValueBytes?: number;
  /** Levels of objects and arrays in one value. Default 1000. */
  readonly maxValueDepth?: number;
  /** Must be the workers' own: `createValueCipher(encryption)`. Default: values are stored as they are. */
  readonly cipher?: ValueCipher;
}

let lastStamp = 0;

/**
 * The context of a run as seen from outside of a job: what its nodes have written so far over its initial context.
 *
 * Each key is a row of its own, so that concurrent writers of different keys never lose one another's. A write here
 * holds against what was written before, and nodes that run later may write over it; a node that runs at the moment
 * may have read the value before.
 *
 * Every method may reject with UnavailableError, and with SchemaMissingError if a table is missing.
 */
export class CassandraContext implements IAsyncContext<Record<string, unknown>> {
  readonly type = 'async' as const;
  private readonly codec: ValueCodec;
  private readonly cipher: ValueCipher;
  private readonly values: CassandraValues;
  private readonly journal: CassandraJournal;
  private readonly rows: CassandraContextRows;
  private readonly base: CassandraBaseLayer;

  constructor(
    private readonly runId: string,
    private readonly options: CassandraContextOptions,
  ) {
    const { client, keyspace, tableName, serializer = new JsonSerializer(), maxValueBytes = MAX_VALUE_BYTES } = options;
    this.cipher = options.cipher ?? NO_CIPHER;
    const schema = new CassandraSchema({ keyspace, contextTableName: tableName });
    const session = new CassandraSession(new CassandraConnection({ source: client }, SILENT), schema);
    this.codec = new ValueCodec(serializer, maxValueBytes, options.maxValueDepth);
    this.values = new CassandraValues(session);
    this.journal = new CassandraJournal(session);
    this.rows = new CassandraContextRows(this.values, this.journal);
    this.base = new CassandraBaseLayer(session, new ValueCodec(serializer, Infinity, Infinity), this.cipher);
  }

  /** The context of another run, over the same tables. Nothing is read yet. */
  forRun(runId: string): CassandraContext {
    return new CassandraContext(runId, this.options);
  }

  async get(key: string): Promise<unknown> {
    const found = this.find(key, await this.read([key]));
    return (await this.decode([[key, await found]])).get(key);
  }

  /** @throws ContextKeyRefusedError, ValueNotSerializableError, ValueTooLargeError */
  async set(key: string, value: unknown): Promise<void> {
    await this.patch([{ op: 'set', key, value }]);
  }

  async has(key: string): Promise<boolean> {
    return (await this.find(key, await this.read([key]))) !== undefined;
  }

  /** Answers whether the key was there. */
  async delete(key: string): Promise<boolean> {
    const rows = await this.read([key]);
    const existed = (await this.find(key, rows)) !== undefined;
    if (existed) await this.values.write(this.runId, [{ key, deleted: true }], stampOver(rows));
    return existed;
  }

  /** The whole context, with outputs under both of their names, as flowcraft has it. */
  async toJSON(): Promise<Record<string, unknown>> {
    const [rows, base] = await Promise.all([this.opened(this.rows.all(this.runId)), this.base.read(this.runId)]);
    return Object.fromEntries(await this.decode([...overlay(rows, base)]));
  }

  /** All operations are applied as one, or none. Of two on the same key the later holds. */
  async patch(operations: PatchOperation[]): Promise<void> {
    const writes = new Map<string, ValueWrite>();
    for (const operation of operations) {
      const { key } = operation;
      assertContextKey(key, { runId: this.runId });
      if (isInternalKey(key)) throw new ContextKeyRefusedError(key, { runId: this.runId });
      if (operation.op === 'delete') writes.set(key, { key, deleted: true });
      else
        writes.set(key, {
          key,
          value: this.codec.encode(operation.value, `The value of '${key}'`, { runId: this.runId }),
        });
    }
    const rows = await this.read([...writes.keys()]);
    const sealed = [...writes.values()].map((value) => sealValue(this.cipher, this.runId, value));
    await this.values.write(this.runId, sealed, stampOver(rows));
  }

  private async read(keys: readonly string[]): Promise<StoredValue[]> {
    const wanted = keys.flatMap(lookupKeys);
    if (wanted.some((key) => key.startsWith(INPUT_KEY_PREFIX))) {
      // which node has given an input to another only the blueprint tells
      const all = await this.opened(this.rows.all(this.runId));
      return all.filter(({ key }) => wanted.includes(key));
    }
    const outputs = wanted.filter((key) => key.startsWith(OUTPUT_KEY_PREFIX));
    const givers = outputs.map((key) => key.slice(OUTPUT_KEY_PREFIX.length));
    return this.opened(this.rows.some(this.runId, wanted, givers));
  }

  private async opened(found: Promise<StoredValue[]>): Promise<StoredValue[]> {
    const [values] = await Promise.all([found, this.cipher.ready()]);
    return reading(this.cipher, () => values.map((value) => openValue(this.cipher, this.runId, value)));
  }

  /** Reads the base only if no row decides. */
  private async find(key: string, rows: readonly StoredValue[]): Promise<Resolved | undefined> {
    if (isInternalKey(key)) return undefined;
    return resolve(key, rows, rows.length > 0 ? new Map() : await this.base.read(this.runId));
  }

  private async decode(entries: readonly (readonly [string, Resolved | undefined])[]): Promise<Map<string, unknown>> {
    const refs = entries.flatMap(([, content]) => content?.ref ?? []);
    const outputs = new Map<string, string>();
    const found = await this.journal.outputs(this.runId, refs);
    await reading(this.cipher, () => {
      for (const turn of found)
        outputs.set(JSON.stringify([turn.nodeId, turn.turn]), openOutput(this.cipher, this.runId, turn));
    });
    const textOf = (content: Resolved | undefined) =>
      content?.ref ? outputs.get(JSON.stringify([content.ref.nodeId, content.ref.turn])) : content?.value;
    return new Map(
      entries.map(([key, content]) => {
        const text = textOf(content);
        return [key, text === undefined ? undefined : this.codec.decode(text)];
      }),
    );
  }
}

/** The driver's time in microseconds, rising in this process, and above every row that is written over. */
function stampOver(rows: readonly StoredValue[]): number {
  lastStamp = Math.max(Date.now() * 1000, lastStamp + 1, ...rows.map((row) => row.stamp + 1));
  return lastStamp;
}
