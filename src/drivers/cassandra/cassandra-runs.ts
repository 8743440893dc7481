import type { types } from 'cassandra-driver';
import { UnavailableError } from '../../core/errors.js';
import type { RetryRecord } from '../../core/retry.js';
import { isEndStatus, type EndStatus, type ParentTurn, type RunOptions, type RunRecord } from '../../core/run.js';
import type { EndAnswer } from '../../ports/run-store.js';
import { millisecondsOf, textOf, type CassandraSession, type Statement } from './cassandra-session.js';
import { UncertainAttempts } from './uncertain-attempts.js';

const HEAD_COLUMNS = [
  'runid',
  'blueprint_id',
  'blueprint_version',
  'blueprint_hash',
  'input',
  'input_hash',
  'tags',
  'parent',
  'options',
  'created_at',
  'status',
] as const;

/** Microseconds. The server stamps lightweight transactions with its own time, which is later whatever its clock says. */
const BEFORE_ALL = 1;

/**
 * The table of runs. Lightweight transactions decide who accepts and who ends a run. The one plain write is that of a
 * run whose id nobody else can have: nothing comes before it, and its stamp lies below that of all that follows, so that
 * it may also arrive late or twice.
 */
export class CassandraRuns {
  private readonly attempts = new UncertainAttempts();
  private readonly insertCql: string;
  private readonly createCql: string;
  private readonly endCql: string;
  private readonly reopenCql: string;
  private readonly readCql: string;

  constructor(private readonly session: CassandraSession) {
    const table = session.schema.name('runs');
    const marks = HEAD_COLUMNS.map(() => '?').join(', ');
    this.insertCql = `INSERT INTO ${table} (${HEAD_COLUMNS.join(', ')}, accepted_by) VALUES (${marks}, ?) IF NOT EXISTS`;
    this.createCql = `INSERT INTO ${table} (${HEAD_COLUMNS.join(', ')}) VALUES (${marks}) USING TIMESTAMP ${BEFORE_ALL}`;
    this.endCql = `UPDATE ${table} SET status = ?, reason = ?, ended_at = ?, ended_by = ? WHERE runid = ? IF status = 'running' AND retries = ?`;
    this.reopenCql =
      `UPDATE ${table} SET status = 'running', reason = null, ended_at = null, ended_by = null, retries = ?, retry = ?` +
      ` WHERE runid = ? IF status IN ('completed', 'failed', 'cancelled') AND retries = ?`;
    this.readCql =
      `SELECT runid, blueprint_id, blueprint_version, blueprint_hash, input, input_hash, tags, parent, options, created_at, status, reason, ended_at, ended_by, retries, retry` +
      ` FROM ${table} WHERE runid = ?`;
  }

  async accept(run: RunRecord): Promise<{ accepted: boolean; run: RunRecord }> {
    const what = JSON.stringify(['accept', run.runId, run.createdAt, run.inputHash]);
    return this.attempt(what, async (attempt) => {
      const params = [...headOf(run), attempt];
      const result = await this.session.decide('accepting a run', this.insertCql, params, run.runId);
      const row = result.first();
      if (result.wasApplied()) return { accepted: true, run };
      // A try of ours that seemed lost may have been applied.
      return { accepted: row['accepted_by'] === attempt, run: runOf(row) };
    });
  }

  /** Writes a run whose id is new in the world. */
  creation(run: RunRecord): Statement {
    return { query: this.createCql, params: headOf(run) };
  }

  async read(runId: string): Promise<RunRecord | undefined> {
    const result = await this.session.execute('reading a run', this.readCql, [runId], runId);
    const row = result.rows[0];
    return row && runOf(row);
  }

  async end(runId: string, status: EndStatus, reason: string | undefined, at: number, retries = 0): Promise<EndAnswer> {
    const what = JSON.stringify(['end', runId, status, at, reason ?? null, retries]);
    return this.attempt(what, async (attempt) => {
      const params = [status, reason ?? null, at, attempt, runId, retries || null];
      const decided = await this.session.decide('ending a run', this.endCql, params, runId);
      if (decided.wasApplied()) return { ended: true };
      const result = await this.session.readSerial('reading a run that ended', this.readCql, [runId], runId);
      const row = result.rows[0];
      return row?.['ended_by'] === attempt ? { ended: true } : { ended: false, run: row && runOf(row) };
    });
  }

  /** The id of `retry` says who opened the run, also if a try of ours seemed lost. */
  async reopen(
    runId: string,
    retries: number,
    retry: RetryRecord,
  ): Promise<{ reopened: boolean; run: RunRecord | undefined }> {
    const params = [retries + 1, JSON.stringify(retry), runId, retries || null];
    const decided = await this.session.decide('opening a run again', this.reopenCql, params, runId);
    const result = await this.session.readSerial('reading a run that was opened again', this.readCql, [runId], runId);
    const row = result.rows[0];
    const run = row && runOf(row);
    return { reopened: decided.wasApplied() || run?.retry?.id === retry.id, run };
  }

  /** Keeps the name of an attempt whose outcome is unknown, for when the caller repeats it. */
  private async attempt<T>(what: string, write: (attempt: string) => Promise<T>): Promise<T> {
    const attempt = this.attempts.take(what);
    try {
      return await write(attempt);
    } catch (error) {
      if (error instanceof UnavailableError) this.attempts.keep(what, attempt);
      throw error;
    }
  }
}

/** In the order of the columns. */
function headOf(run: RunRecord): unknown[] {
  return [
    run.runId,
    run.blueprintId,
    run.blueprintVersion,
    run.blueprintHash,
    run.input,
    run.inputHash,
    run.tags,
    run.parent ? JSON.stringify(run.parent) : null,
    run.options ? JSON.stringify(run.options) : null,
    run.createdAt,
    run.status,
  ];
}

function runOf(row: types.Row): RunRecord {
  const status = String(row['status']);
  const reason = textOf(row['reason']);
  const parent = textOf(row['parent']);
  const options = textOf(row['options']);
  const ended = isEndStatus(status);
  const retries = row['retries'] as number | null;
  const retry = textOf(row['retry']);
  return {
    runId: String(row['runid']),
    blueprintId: String(row['blueprint_id']),
    blueprintVersion: textOf(row['blueprint_version']) ?? null,
    blueprintHash: String(row['blueprint_hash']),
    input: String(row['input']),
    inputHash: String(row['input_hash']),
    tags: (row['tags'] as string[] | null) ?? [],
    ...(parent === undefined ? {} : { parent: JSON.parse(parent) as ParentTurn }),
    ...(options === undefined ? {} : { options: JSON.parse(options) as RunOptions }),
    createdAt: millisecondsOf(row['created_at']),
    status: ended ? status : 'running',
    ...(ended ? { endedAt: millisecondsOf(row['ended_at']) } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(retries ? { retries } : {}),
    ...(retry === undefined ? {} : { retry: JSON.parse(retry) as RetryRecord }),
  };
}
