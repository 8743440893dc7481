import type { types } from 'cassandra-driver';
import { chunksOf } from '../../core/chunks.js';
import type { StoredValue, ValueWrite } from '../../ports/run-store.js';
import type { CassandraSchema } from './cassandra-schema.js';
import { numberOf, type CassandraSession, type Stamp, type Statement } from './cassandra-session.js';
import { IN_LIMIT, ReadGroups } from './read-groups.js';

const PAGE = 200;

/** The context values of runs: a row for each key that was ever written. */
export class CassandraValues {
  private readonly someCql: string;
  private readonly allCql: string;
  private readonly insertCql: string;
  private readonly reads: ReadGroups<string>;

  constructor(private readonly session: CassandraSession) {
    this.reads = new ReadGroups((runId, keys) => this.readSome(runId, keys));
    const table = session.schema.name('values');
    this.insertCql = valueInsert(session.schema);
    this.allCql = `SELECT key, deleted, is_ref, value, WRITETIME(deleted) AS stamp FROM ${table} WHERE runid = ?`;
    this.someCql = `${this.allCql} AND key IN ?`;
  }

  async some(runId: string, keys: readonly string[]): Promise<StoredValue[]> {
    const distinct = [...new Set(keys)];
    const found: StoredValue[] = [];
    for (const part of chunksOf(distinct, IN_LIMIT)) {
      const rows = await this.reads.ask(runId, part);
      found.push(...rows.filter((row) => part.includes(String(row['key']))).map(valueOfRow));
    }
    return found;
  }

  private async readSome(runId: string, keys: readonly string[]): Promise<types.Row[]> {
    const distinct = [...new Set(keys)];
    return this.session.allRows('reading context values', this.someCql, [runId, distinct], PAGE, runId);
  }

  async all(runId: string): Promise<StoredValue[]>;
  async all(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  /** Undefined, and not all read, if the values have more characters than `most`. */
  async all(runId: string, most = Infinity): Promise<StoredValue[] | undefined> {
    const found: StoredValue[] = [];
    let characters = 0;
    for await (const page of this.session.pages('reading the context', this.allCql, [runId], PAGE, runId)) {
      for (const row of page) {
        const value = valueOfRow(row);
        characters += value.value?.length ?? 0;
        if (characters > most) return undefined;
        found.push(value);
      }
    }
    return found;
  }

  /** Several keys under one stamp, as one mutation. */
  async write(runId: string, values: readonly ValueWrite[], stamp: number): Promise<void> {
    if (values.length === 0) return;
    const stampOfAll = this.session.stamp(stamp);
    const statements = values.map((value) => valueStatement(this.insertCql, runId, value, stampOfAll));
    await this.session.batch('writing context values', statements, runId);
  }
}

/** What `valueStatement` completes. */
export function valueInsert(schema: CassandraSchema): string {
  return `INSERT INTO ${schema.name('values')} (runid, key, deleted, is_ref, value) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`;
}

/** A deleted key is a row that says so: a tombstone would be gone some day, and what lies below would show again. */
export function valueStatement(query: string, runId: string, value: ValueWrite, stamp: Stamp): Statement {
  const isRef = value.deleted !== true && value.ref !== undefined;
  const deleted = value.deleted === true || (value.value === undefined && !isRef);
  const text = deleted ? '' : isRef ? JSON.stringify([value.ref.nodeId, value.ref.turn]) : value.value;
  return {
    query,
    params: [runId, value.key, deleted, isRef, text, stamp],
  };
}

function valueOfRow(row: types.Row): StoredValue {
  const key = String(row['key']);
  const stamp = numberOf(row['stamp']);
  if (row['deleted'] === true) return { key, stamp, deleted: true };
  const value = String(row['value']);
  if (row['is_ref'] !== true) return { key, stamp, value };
  const [nodeId, turn] = JSON.parse(value) as [string, string];
  return { key, stamp, ref: { nodeId, turn } };
}
