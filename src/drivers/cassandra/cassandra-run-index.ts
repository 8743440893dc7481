import { decodeRunCursor, encodeRunCursor, type RunCursor } from '../../core/run-cursor.js';
import type { RunFilter } from '../../ports/run-store.js';
import { RUN_INDEX_DAYS } from './cassandra-schema.js';
import { millisecondsOf, type CassandraSession } from './cassandra-session.js';
import { shardOf } from './cassandra-shards.js';
import { WriteGroups } from './write-groups.js';

const DAY_MS = 86_400_000;
/** Spreads the runs of a day over so many partitions. Never change it: rows would not be found any more. */
const SHARDS = 8;
/** The year 9999: days beyond have no name in CQL. */
const LATEST = 253_402_300_799_999;

/**
 * Finds runs by the time of their acceptance. An entry is written before its run, so that no run can be lost from
 * sight; one whose run never came to be is an id without a run.
 */
export class CassandraRunIndex {
  private readonly insertCql: string;
  private readonly deleteCql: string;
  private readonly readCql: string;
  /** Runs that are accepted in the same moment share their shards. */
  private readonly writes: WriteGroups;

  constructor(private readonly session: CassandraSession) {
    this.writes = new WriteGroups((statements) => session.batch('indexing runs', statements));
    const table = session.schema.name('index');
    this.insertCql = `INSERT INTO ${table} (day, shard, created_at, runid, blueprint_id) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`;
    this.deleteCql = `DELETE FROM ${table} USING TIMESTAMP ? WHERE day = ? AND shard = ? AND created_at = ? AND runid = ?`;
    this.readCql =
      `SELECT created_at, runid FROM ${table} WHERE day = ? AND shard = ?` +
      ` AND (created_at, runid) < (?, ?) AND (created_at) >= (?) LIMIT ?`;
  }

  async add(runId: string, createdAt: number, blueprintId: string): Promise<void> {
    const [day, shard] = [dayOf(createdAt), shardOf(runId, SHARDS)];
    const params = [day, shard, createdAt, runId, blueprintId, this.session.stamp(createdAt * 1000)];
    await this.writes.add(`${day} ${shard}`, [{ query: this.insertCql, params }]);
  }

  /** Takes back an entry whose run turned out to have been accepted at another time. */
  async remove(runId: string, createdAt: number): Promise<void> {
    const params = [
      this.session.stamp(createdAt * 1000 + 1),
      dayOf(createdAt),
      shardOf(runId, SHARDS),
      createdAt,
      runId,
    ];
    await this.session.execute('indexing a run', this.deleteCql, params);
  }

  /** Entries are kept for 30 days: no page reaches further back than that from the newest time asked for. */
  async list(filter: RunFilter): Promise<{ runIds: string[]; cursor?: string }> {
    const to = Math.min(filter.to, Math.max(Date.now() + DAY_MS, filter.from), LATEST);
    const from = Math.max(0, filter.from, to - RUN_INDEX_DAYS * DAY_MS);
    const before = filter.cursor === undefined ? { createdAt: to + 1, runId: '' } : decodeRunCursor(filter.cursor);
    const found: RunCursor[] = [];
    // One more than asked for tells whether there is another page.
    for (let day = startOfDay(Math.min(before.createdAt, to)); day >= startOfDay(from); day -= DAY_MS) {
      const parts = await Promise.all(
        Array.from({ length: SHARDS }, (_, shard) => this.readShard(day, shard, before, from, filter.limit + 1)),
      );
      found.push(...parts.flat().sort(newestFirst));
      if (found.length > filter.limit) break;
    }
    const page = found.slice(0, filter.limit);
    const last = page.at(-1);
    return {
      runIds: page.map((entry) => entry.runId),
      ...(last && found.length > page.length ? { cursor: encodeRunCursor(last) } : {}),
    };
  }

  private async readShard(
    day: number,
    shard: number,
    before: RunCursor,
    from: number,
    limit: number,
  ): Promise<RunCursor[]> {
    const params = [dayOf(day), shard, before.createdAt, before.runId, from, limit];
    const result = await this.session.execute('listing runs', this.readCql, params);
    return result.rows.map((row) => ({ createdAt: millisecondsOf(row['created_at']), runId: String(row['runid']) }));
  }
}

function newestFirst(a: RunCursor, b: RunCursor): number {
  return b.createdAt - a.createdAt || (a.runId < b.runId ? 1 : -1);
}

function startOfDay(time: number): number {
  return Math.floor(time / DAY_MS) * DAY_MS;
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
