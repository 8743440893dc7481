import { randomUUID } from 'node:crypto';
import type { Client } from 'cassandra-driver';
import { BlueprintNotFoundError, RunNotFoundError } from '../core/errors.js';
import { CassandraConnection } from '../drivers/cassandra/cassandra-client.js';
import { CassandraSchema } from '../drivers/cassandra/cassandra-schema.js';
import { CassandraSession, millisecondsOf, textOf } from '../drivers/cassandra/cassandra-session.js';
import type { Logger } from '../ports/logger.js';
import type { AdapterEngine } from './adapter-session.js';

const PAGE_ROWS = 500;
/** Rows that one sweep reads; a longer table is read further by the next sweep. */
const ROWS_PER_SWEEP = 10_000;

/** The connection is the caller's; there is nothing to say about it. */
const SILENT: Logger = { debug: () => {}, log: () => {}, warn: () => {}, error: () => {} };

export interface StatusTable {
  readonly client: Client;
  readonly keyspace: string;
  readonly statusTableName: string;
}

/**
 * Finds run ids whose status row says `running` and did not move for a while, by reading the table in the order of its
 * tokens: no filtering by the server, and no index. The first sweep of a process begins anywhere, so that also scripts
 * that sweep once come around a long table.
 */
export class StalledStatuses {
  private readonly session: CassandraSession;
  private after: string = randomUUID();

  constructor({ client, keyspace, statusTableName }: StatusTable) {
    const schema = new CassandraSchema({ keyspace, statusTableName });
    this.session = new CassandraSession(new CassandraConnection({ source: client }, SILENT), schema);
  }

  /** @throws UnavailableError, SchemaMissingError */
  async *olderThan(before: number): AsyncGenerator<string> {
    const start = this.after;
    const select = `SELECT runid, status, updated_at FROM ${this.session.schema.name('statuses')} WHERE token(runid)`;
    let left = ROWS_PER_SWEEP;
    for (const part of ['>', '<=']) {
      const rows = this.session.rows('reading the statuses', `${select} ${part} token(?)`, [start], PAGE_ROWS);
      for await (const row of rows) {
        if (left-- === 0) return;
        const runId = textOf(row['runid']);
        if (runId === undefined) continue;
        this.after = runId;
        if (textOf(row['status']) === 'running' && millisecondsOf(row['updated_at']) < before) yield runId;
      }
    }
    this.after = start;
  }
}

/**
 * Sends the jobs of the start nodes of a run that a foreign client began and no worker has adopted: the client's own
 * jobs were lost. Answers the nodes.
 * @throws RunNotFoundError if the client wrote nothing
 * @throws BlueprintNotFoundError if it cannot be told, or is not known here, of which blueprint the run is
 */
export async function sendStartJobs(runId: string, { engine, drivers }: AdapterEngine): Promise<readonly string[]> {
  const foreign = await drivers.store.foreign(runId);
  if (!foreign) throw new RunNotFoundError(runId);
  const blueprintId = blueprintIdOf(foreign.data) ?? onlyOne(engine.catalog.ids());
  if (blueprintId === undefined)
    throw new BlueprintNotFoundError(`of run ${runId}, whose context has no blueprintId`, engine.catalog.ids());
  const { id, startNodeIds } = engine.catalog.current(blueprintId);
  await Promise.all(startNodeIds.map((nodeId) => drivers.queue.publish({ runId, blueprintId: id, nodeId })));
  return startNodeIds;
}

function blueprintIdOf(data: string | undefined): string | undefined {
  if (data === undefined) return undefined;
  try {
    const context = JSON.parse(data) as { blueprintId?: unknown } | null;
    return typeof context?.blueprintId === 'string' ? context.blueprintId : undefined;
  } catch {
    return undefined; // no worker will take it either, and says so when it adopts the run
  }
}

function onlyOne(ids: readonly string[]): string | undefined {
  return ids.length === 1 ? ids[0] : undefined;
}
