import type { Timer } from '../../core/timer.js';
import type { TimerRows } from '../../ports/timers.js';
import { millisecondsOf, type CassandraSession } from './cassandra-session.js';
import { shardOf } from './cassandra-shards.js';

/** Never change these two: rows would not be found any more. */
const BUCKET_MS = 600_000;
const SHARDS = 8;
const PAGE = 1000;
/** A row is kept for so long after it was due: the longest outage of a whole fleet after which timers still fire. */
const KEPT_MS = 30 * 86_400_000;
/** Some versions refuse a row that would expire later (January 2038); such a row is kept for good. */
const LATEST_EXPIRY = 2_147_000_000_000;
const MARK = 'done before';

/**
 * The timers by the time at which they are due: ten minutes of it, in a few shards, to a partition. Partitions are only
 * added to; what is done is marked so, and expires.
 */
export class CassandraTimerRows implements TimerRows {
  private readonly addCql: string;
  private readonly finishCql: string;
  private readonly pendingCql: string;
  private readonly markCql: string;
  private readonly setMarkCql: string;

  private hasBegun = false;

  constructor(private readonly session: CassandraSession) {
    const timers = session.schema.name('timers');
    const marks = session.schema.name('timerMarks');
    this.addCql =
      `INSERT INTO ${timers} (bucket, shard, due, runid, kind, node_id, turn) VALUES (?, ?, ?, ?, ?, ?, ?)` +
      ` USING TIMESTAMP ? AND TTL ?`;
    this.finishCql =
      `UPDATE ${timers} USING TIMESTAMP ? AND TTL ? SET done = true` +
      ` WHERE bucket = ? AND shard = ? AND due = ? AND runid = ? AND kind = ? AND node_id = ? AND turn = ?`;
    this.pendingCql =
      `SELECT due, runid, kind, node_id, turn, done FROM ${timers}` +
      ` WHERE bucket = ? AND shard = ? AND due >= ? AND due < ?`;
    this.markCql = `SELECT moment FROM ${marks} WHERE name = ?`;
    this.setMarkCql = `INSERT INTO ${marks} (name, moment) VALUES (?, ?) USING TIMESTAMP ?`;
  }

  /** Whoever is the first to need it says since when there can be timers: before that, nobody has to look. */
  private async begin(): Promise<void> {
    if (this.hasBegun) return;
    if ((await this.mark()) === undefined) await this.setDoneBefore(Date.now() - BUCKET_MS);
    this.hasBegun = true;
  }

  async add(timer: Timer): Promise<void> {
    await this.begin();
    await this.session.execute('setting a timer', this.addCql, [
      ...keyOf(timer),
      this.session.stamp(timer.due * 1000),
      ttlOf(timer),
    ]);
  }

  async finish(timer: Timer): Promise<void> {
    const params = [this.session.stamp(timer.due * 1000), ttlOf(timer), ...keyOf(timer)];
    await this.session.execute('ending a timer', this.finishCql, params);
  }

  async pending(from: number, to: number): Promise<Timer[]> {
    const found: Timer[] = [];
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
    for (let bucket = bucketOf(from); bucket < to; bucket += BUCKET_MS) {
      const parts = await Promise.all(shards.map((shard) => this.shard(bucket, shard, from, to)));
      for (const part of parts) for (const timer of part) found.push(timer);
    }
    return found;
  }

  async doneBefore(): Promise<number> {
    await this.begin();
    return (await this.mark()) ?? Date.now() - BUCKET_MS;
  }

  /** The moment is its own stamp: a lower one that comes late loses. */
  async setDoneBefore(moment: number): Promise<void> {
    await this.session.execute('noting timers', this.setMarkCql, [
      MARK,
      Math.floor(moment),
      this.session.stamp(moment * 1000),
    ]);
  }

  private async mark(): Promise<number | undefined> {
    const row = (await this.session.execute('reading timers', this.markCql, [MARK])).rows[0];
    return row && millisecondsOf(row['moment']);
  }

  private async shard(bucket: number, shard: number, from: number, to: number): Promise<Timer[]> {
    const found: Timer[] = [];
    const params = [bucket, shard, Math.max(bucket, Math.floor(from)), Math.ceil(to)];
    for await (const row of this.session.rows('reading timers', this.pendingCql, params, PAGE)) {
      if (row['done'] === true) continue;
      found.push({
        due: millisecondsOf(row['due']),
        runId: String(row['runid']),
        kind: String(row['kind']) as Timer['kind'],
        nodeId: String(row['node_id']),
        turn: String(row['turn']),
      });
    }
    return found;
  }
}

function keyOf({ due, runId, kind, nodeId, turn }: Timer): unknown[] {
  return [bucketOf(due), shardOf(runId, SHARDS), due, runId, kind, nodeId, turn];
}

function bucketOf(due: number): number {
  return Math.floor(due / BUCKET_MS) * BUCKET_MS;
}

/** Seconds; 0: for good. */
function ttlOf({ due }: Timer): number {
  const now = Date.now();
  const expiry = Math.max(now, due) + KEPT_MS;
  return expiry > LATEST_EXPIRY ? 0 : Math.ceil((expiry - now) / 1000);
}
