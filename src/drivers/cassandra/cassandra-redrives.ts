import type { RedriveMark } from '../../ports/run-store.js';
import { millisecondsOf, type CassandraSession } from './cassandra-session.js';

const PAGE = 1000;

/** Which dead letters were sent again. Kafka keeps the letters themselves, and cannot mark them. */
export class CassandraRedrives {
  private readonly insertCql: string;
  private readonly readCql: string;

  constructor(private readonly session: CassandraSession) {
    const table = session.schema.name('redriven');
    this.insertCql = `INSERT INTO ${table} (topic, partition_id, letter_offset, failed_at, redriven_at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`;
    this.readCql = `SELECT letter_offset, failed_at, redriven_at FROM ${table} WHERE topic = ? AND partition_id = ? AND letter_offset >= ? AND letter_offset < ?`;
  }

  async mark(topic: string, marks: readonly RedriveMark[]): Promise<void> {
    const write = ({ partition, offset, failedAt, at }: RedriveMark) =>
      this.session.execute('marking a dead letter', this.insertCql, [
        topic,
        partition,
        String(offset),
        failedAt,
        at,
        this.session.stamp(at * 1000),
      ]);
    await Promise.all(marks.map(write));
  }

  async read(topic: string, partition: number, from: bigint, to: bigint): Promise<RedriveMark[]> {
    const marks: RedriveMark[] = [];
    const params = [topic, partition, String(from), String(to)];
    for await (const row of this.session.rows('reading marks of dead letters', this.readCql, params, PAGE)) {
      marks.push({
        partition,
        offset: BigInt(String(row['letter_offset'])),
        failedAt: String(row['failed_at']),
        at: millisecondsOf(row['redriven_at']),
      });
    }
    return marks;
  }
}
