import type { Client, ClientOptions, QueryOptions, types } from 'cassandra-driver';
import { IllegalStateError, UnavailableError } from '../../core/errors.js';
import type { CassandraConnection } from './cassandra-client.js';
import { isUndecided, translated } from './cassandra-errors.js';
import type { CassandraSchema } from './cassandra-schema.js';
import { InFlightLimit } from './in-flight-limit.js';
import { PreparedBatches } from './prepared-batches.js';
import { RunTokens } from './run-tokens.js';

/** Four times what keeps a node busy; a connection of the driver takes 2048. */
const MOST_IN_FLIGHT = 256;

/** A server that gives up on a lightweight transaction is asked again at once, so often. */
const UNDECIDED_RETRIES = 3;

export type Stamp = number | bigint;

export interface Statement {
  readonly query: string;
  readonly params: readonly unknown[];
}

/**
 * Executes statements. All of them are prepared, touch one partition, and may be repeated by the driver: writes carry
 * their own stamp, and lightweight transactions recognise their own earlier try.
 */
export class CassandraSession {
  private readonly limit = new InFlightLimit(MOST_IN_FLIGHT);
  private readonly prepared = new PreparedBatches();
  private readonly tokens: RunTokens;
  private readonly takesBigInt: boolean;
  private readonly options: QueryOptions;
  private readonly batchOptions: QueryOptions;
  private readonly serialOptions: QueryOptions;

  constructor(
    readonly connection: CassandraConnection,
    readonly schema: CassandraSchema,
  ) {
    const { client, consistency, serialConsistency, readTimeoutMs } = connection;
    const { options } = client as unknown as { options?: ClientOptions };
    this.tokens = new RunTokens(client);
    this.takesBigInt = options?.encoding?.useBigIntAsLong ?? false;
    this.options = { prepare: true, isIdempotent: true, consistency, serialConsistency, readTimeout: readTimeoutMs };
    this.batchOptions = { ...this.options, logged: true };
    this.serialOptions = { ...this.options, consistency: serialConsistency };
  }

  /** Microseconds as CQL's bigint, in the form in which this client takes large numbers. */
  stamp(microseconds: number): Stamp {
    const whole = Math.floor(microseconds);
    return this.takesBigInt ? BigInt(whole) : whole;
  }

  /**
   * @param operation completes "Cassandra is not available for ..."
   * @param runId whose partition it is, if it is that of a run
   */
  execute(operation: string, query: string, params: readonly unknown[], runId?: string): Promise<types.ResultSet> {
    return this.executeWith(operation, query, params, this.options, runId);
  }

  /** Executes a lightweight transaction, which must recognise an earlier try of its own. */
  async decide(operation: string, query: string, params: readonly unknown[], runId?: string): Promise<types.ResultSet> {
    for (let retry = 0; ; retry++) {
      try {
        return await this.execute(operation, query, params, runId);
      } catch (error) {
        const undecided = error instanceof UnavailableError && isUndecided(error.cause);
        if (!undecided || retry === UNDECIDED_RETRIES) throw error;
      }
    }
  }

  /** Reads the latest decided state of a lightweight row, after finishing what was undecided. */
  async readSerial(
    operation: string,
    query: string,
    params: readonly unknown[],
    runId?: string,
  ): Promise<types.ResultSet> {
    return this.executeWith(operation, query, params, this.serialOptions, runId);
  }

  /** Rows in pages, fetched as the caller takes them: for many small rows far cheaper than one by one. */
  async *pages(
    operation: string,
    query: string,
    params: readonly unknown[],
    fetchSize: number,
    runId?: string,
  ): AsyncGenerator<types.Row[]> {
    let pageState: string | undefined;
    do {
      const paging = pageState === undefined ? {} : { pageState };
      const options = { autoPage: false, fetchSize, ...paging, ...this.options };
      const page = await this.executeWith(operation, query, params, options, runId);
      yield page.rows ?? [];
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined);
  }

  /** Rows one by one. */
  async *rows(
    operation: string,
    query: string,
    params: readonly unknown[],
    fetchSize: number,
  ): AsyncGenerator<types.Row> {
    for await (const page of this.pages(operation, query, params, fetchSize)) yield* page;
  }

  /** All rows at once. Some servers cut a page by its size, also where few rows are asked for. */
  async allRows(
    operation: string,
    query: string,
    params: readonly unknown[],
    fetchSize: number,
    runId?: string,
  ): Promise<types.Row[]> {
    const rows: types.Row[] = [];
    for await (const page of this.pages(operation, query, params, fetchSize, runId)) rows.push(...page);
    return rows;
  }

  /**
   * Statements of one partition, applied as one or not at all.
   * @param runId whose partition it is, if it is that of a run
   */
  batch(operation: string, statements: readonly Statement[], runId?: string): Promise<unknown> {
    const whole = this.prepared.of(statements);
    if (!whole) {
      // the driver only reads what it is given
      const queries = statements as { query: string; params: unknown[] }[];
      return this.send(operation, (client) => client.batch(queries, this.batchOptions));
    }
    return this.execute(operation, whole.query, whole.params, runId);
  }

  private executeWith(
    operation: string,
    query: string,
    params: readonly unknown[],
    options: QueryOptions,
    runId: string | undefined,
  ): Promise<types.ResultSet> {
    return this.send(operation, (client) => {
      const token = runId === undefined ? undefined : this.tokens.of(runId);
      if (!token) return client.execute(query, params as unknown[], options);
      return client.execute(query, params as unknown[], {
        // of a batch over several tables the server names neither keyspace nor partition key to the driver
        keyspace: this.schema.keyspace,
        // the driver takes tokens, which its types leave out
        routingKey: token as unknown as Buffer,
        ...options,
      });
    });
  }

  private async send<T>(operation: string, statement: (client: Client) => Promise<T>): Promise<T> {
    const client = this.open();
    const place = this.limit.enter();
    if (place) await place;
    try {
      return await statement(client);
    } catch (error) {
      throw translated(error, operation, this.schema);
    } finally {
      this.limit.leave();
    }
  }

  private open() {
    if (this.connection.isClosed) throw new IllegalStateError('The Cassandra store is closed. Make a new one.');
    return this.connection.client;
  }
}

/** Of a WRITETIME or a bigint column. */
export function numberOf(value: unknown): number {
  if (value === null || value === undefined) return 0;
  return typeof value === 'bigint' ? Number(value) : (value as types.Long).toNumber();
}

/** Milliseconds of a timestamp column. */
export function millisecondsOf(value: unknown): number {
  return value === null || value === undefined ? 0 : Number(value);
}

/** Of a text column; undefined if it is null. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
