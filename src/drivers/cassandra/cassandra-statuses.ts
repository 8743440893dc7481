import type { RunStatus } from '../../core/run.js';
import type { ForeignRun, StatusRow, StatusWrite } from '../../ports/run-store.js';
import { millisecondsOf, numberOf, textOf, type CassandraSession, type Statement } from './cassandra-session.js';

/** The two tables of the adapter's page: statuses, which clients poll, and contexts, which foreign clients write. */
export class CassandraStatuses {
  private readonly writeCql: string;
  private readonly touchCql: string;
  private readonly readCql: string;
  private readonly foreignStatusCql: string;
  private readonly foreignDataCql: string;

  constructor(private readonly session: CassandraSession) {
    const statuses = session.schema.name('statuses');
    this.writeCql = `INSERT INTO ${statuses} (runid, status, reason, result, updated_at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`;
    this.touchCql = `UPDATE ${statuses} USING TIMESTAMP ? SET updated_at = ? WHERE runid = ?`;
    this.readCql = `SELECT status, reason, result, updated_at FROM ${statuses} WHERE runid = ?`;
    this.foreignStatusCql = `SELECT WRITETIME(status) AS status_stamp, WRITETIME(updated_at) AS time_stamp FROM ${statuses} WHERE runid = ?`;
    this.foreignDataCql = `SELECT data, WRITETIME(data) AS stamp FROM ${session.schema.name('contexts')} WHERE runid = ?`;
  }

  async write(write: StatusWrite): Promise<void> {
    const { query, params } = this.statement(write);
    await this.session.execute('writing a status', query, params, write.runId);
  }

  statement({ runId, status, reason, result, stamp, at }: StatusWrite): Statement {
    return {
      query: this.writeCql,
      params: [runId, status, reason ?? null, result ?? null, at, this.session.stamp(stamp)],
    };
  }

  async touch(runId: string, stamp: number, at: number): Promise<void> {
    await this.session.execute('writing a status', this.touchCql, [this.session.stamp(stamp), at, runId], runId);
  }

  async read(runId: string): Promise<StatusRow | undefined> {
    const row = (await this.session.execute('reading a status', this.readCql, [runId], runId)).rows[0];
    const status = textOf(row?.['status']);
    // A row that only `touch` made has no status yet.
    if (!row || status === undefined) return undefined;
    const [reason, result] = [textOf(row['reason']), textOf(row['result'])];
    return {
      status: status as RunStatus,
      updatedAt: millisecondsOf(row['updated_at']),
      ...(reason === undefined ? {} : { reason }),
      ...(result === undefined ? {} : { result }),
    };
  }

  async foreign(runId: string): Promise<ForeignRun | undefined> {
    const [contexts, statuses] = await Promise.all([
      this.session.execute('reading a foreign run', this.foreignDataCql, [runId], runId),
      this.session.execute('reading a foreign run', this.foreignStatusCql, [runId], runId),
    ]);
    const [context, status] = [contexts.rows[0], statuses.rows[0]];
    if (!context && !status) return undefined;
    const data = textOf(context?.['data']);
    const stamps = [context?.['stamp'], status?.['status_stamp'], status?.['time_stamp']] as unknown[];
    return { stamp: Math.max(...stamps.map(numberOf)), ...(data === undefined ? {} : { data }) };
  }
}
