import type { types } from 'cassandra-driver';
import { UnavailableError } from '../../core/errors.js';
import type { RetryRecord } from '../../core/retry.js';
import { isEndStatus, type EndStatus, type ParentTurn, type RunOptions, type RunRecord } from '../../core/run.js';
import type { EndAnswer } from '../../ports/run-store.js';
import { millisecondsOf, textOf, type CassandraSession } from './cassandra-session.js';
import { UncertainAttempts } from './uncertain-attempts.js';

/** The table of runs. It is written by lightweight transactions only, which decide who accepts and who ends a run. */
export class CassandraRuns {
  private readonly attempts = new UncertainAttempts();
  private readonly insertCql: string;
  private readonly endCql: string;
  private readonly reopenCql: string;
  private readonly readCql: string;

  constructor(private readonly session: CassandraSession) {
    const table = session.schema.name('runs');
    this.insertCql =
      `INSERT INTO ${table} (runid, blueprint_id, blueprint_version, blueprint_hash, input, input_hash, tags, parent, options, created_at, status, accepted_by)` +
      ` VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`;
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
      const {
        runId,
        blueprintId,
        blueprintVersion,
        blueprintHash,
        input,
        inputHash,
        tags,
        parent,
        options,
        createdAt,
        status,
      } = run;
      const params = [
        runId,
        blueprintId,
        blueprintVersion,
        blueprintHash,
        input,
        inputHash,
        tags,
        parent ? JSON.stringify(parent) : null,
        options ? JSON.stringify(options) : null,
        createdAt,
        status,
        attempt,
      ];
      const result = await this.session.decide('accepting a run', this.insertCql, params);
      const row = result.first();
      if (result.wasApplied()) return { accepted: true, run };
      // A try of ours that seemed lost may have been applied.
      return { accepted: row['accepted_by'] === attempt, run: runOf(row) };
    });
  }

  async read(runId: string): Promise<RunRecord | undefined> {
    const result = await this.session.execute('reading a run', this.readCql, [runId]);
    const row = result.rows[0];
    return row && runOf(row);
  }

  async end(runId: string, status: EndStatus, reason: string | undefined, at: number, retries = 0): Promise<EndAnswer> {
    const what = JSON.stringify(['end', runId, status, at, reason ?? null, retries]);
    return this.attempt(what, async (attempt) => {
      const params = [status, reason ?? null, at, attempt, runId, retries || null];
      const decided = await this.session.decide('ending a run', this.endCql, params);
      if (decided.wasApplied()) return { ended: true };
      const result = await this.session.readSerial('reading a run that ended', this.readCql, [runId]);
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
    const decided = await this.session.decide('opening a run again', this.reopenCql, params);
    const result = await this.session.readSerial('reading a run that was opened again', this.readCql, [runId]);
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
