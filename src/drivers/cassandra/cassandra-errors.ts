import { types } from 'cassandra-driver';
import { ConfigurationError, SchemaMissingError, UnavailableError } from '../../core/errors.js';
import { WriteTooLargeError } from '../../core/limit-errors.js';
import type { CassandraSchema } from './cassandra-schema.js';

const { responseErrorCodes } = types;
/** Sent since protocol 5 for a lightweight transaction of unknown outcome; the driver has no name for it. */
const CAS_WRITE_UNKNOWN = 0x1700;

// By name, not by class: a client that the user made may come from another copy of the driver.
const UNAVAILABLE_NAMES = new Set([
  'NoHostAvailableError',
  'OperationTimedOutError',
  'BusyConnectionError',
  'TimeoutError',
]);
const UNAVAILABLE_CODES = new Set<unknown>([
  responseErrorCodes.unavailableException,
  responseErrorCodes.overloaded,
  responseErrorCodes.isBootstrapping,
  responseErrorCodes.writeTimeout,
  responseErrorCodes.readTimeout,
  responseErrorCodes.readFailure,
  responseErrorCodes.writeFailure,
  CAS_WRITE_UNKNOWN,
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
]);
/** What the driver throws, as a plain error, when the host that it has just chosen lost its connections. */
const NO_CONNECTION = 'No connection available';
/** What a server says, as an internal error, that has heard of a new table and not opened it yet. */
const NOT_OPENED_YET = /IllegalArgumentException: Unknown CF/;
const TOO_LARGE =
  /oversized mutation \((\d+)\/(\d+)\)|Request is too big: length (\d+) exceeds maximum allowed length (\d+)/;
const MISSING_TABLE = /(?:unconfigured table|table) (?:\w+\.)?(\w+)(?: does not exist|$)/i;
const MISSING_KEYSPACE = /keyspace '?(\w+)'? does not exist/i;
const MISSING_COLUMN = /(?:Undefined column name|Unknown identifier) "?(\w+)"?.*? (?:in|of) table (?:\w+\.)?(\w+)/i;

interface DriverFailure {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly isSocketError?: unknown;
  /** Of NoHostAvailableError: what went wrong, by host. */
  readonly innerErrors?: Readonly<Record<string, unknown>> | null;
}

/** True when the server may well answer later, and whether a write took effect is unknown. */
export function isUnavailable(error: unknown): boolean {
  if (!isFailure(error)) return false;
  if (error.message === NO_CONNECTION || NOT_OPENED_YET.test(error.message)) return true;
  return UNAVAILABLE_NAMES.has(error.name) || error.isSocketError === true || UNAVAILABLE_CODES.has(error.code);
}

/** A server that answers did not get a lightweight transaction through in its time: asking again makes sense at once. */
export function isUndecided(error: unknown): boolean {
  return isFailure(error) && (error.code === responseErrorCodes.writeTimeout || error.code === CAS_WRITE_UNKNOWN);
}

/** Wrong options, as of a data centre that does not exist: no waiting cures them. */
export function isHopeless(error: unknown): boolean {
  if (!isFailure(error)) return false;
  if (error.name === 'TypeError' || error.name === 'ArgumentError') return true;
  const inner = Object.values(error.innerErrors ?? {});
  return inner.length > 0 && inner.every(isHopeless);
}

const WRONG_DATA_CENTRE = /localDataCenter was configured as '(.*)', but only found hosts in data centers: \[(.*)\]/;

/** What the user is told of an error that is hopeless. */
export function wrongOptions(error: unknown): ConfigurationError {
  const shown = readable(error);
  const text = isFailure(shown) ? shown.message : String(shown);
  const [, given, there] = WRONG_DATA_CENTRE.exec(text) ?? [];
  if (given === undefined || there === undefined)
    return new ConfigurationError([{ path: 'cassandra', message: text }], { cause: error });
  const names = there.split(', ').map((name) => `'${name}'`);
  const message = `is '${given}', and the cluster has no data centre of that name; it has ${names.join(', ')}`;
  return new ConfigurationError([{ path: 'cassandra.localDataCenter', message }], { cause: error });
}

/** The driver prints whole stacks where it quotes the errors of hosts; this names them in a line. */
export function readable(error: unknown): unknown {
  if (!isFailure(error)) return error;
  const hosts = Object.entries(error.innerErrors ?? {});
  if (hosts.length === 0) return error;
  const reasons = hosts.map(([host, inner]) => `${host}: ${isFailure(inner) ? inner.message : String(inner)}`);
  return new Error(reasons.join('; '), { cause: error });
}

export function isUnauthorized(error: unknown): boolean {
  return isFailure(error) && error.code === responseErrorCodes.unauthorized;
}

/** Errors of a statement that no repetition can cure, as against one that lost a race with another process. */
export function isRefused(error: unknown): boolean {
  if (!isFailure(error)) return true;
  if (error.code === responseErrorCodes.invalid)
    return !/already exists|conflicts with an existing/i.test(error.message);
  return error.code === responseErrorCodes.syntaxError || isUnauthorized(error);
}

/** A new keyspace whose replication the cluster can't have, such as one in a data centre that does not exist. */
export function isReplicationRefused(error: unknown): boolean {
  return isRefused(error) || (isFailure(error) && error.code === responseErrorCodes.configError);
}

/**
 * The error of this package for one of the driver; any other comes back as it is.
 * @param operation names what was tried, as in "cassandra is not available for reading the run"
 */
export function translated(error: unknown, operation: string, schema: CassandraSchema): unknown {
  if (isUnavailable(error)) return new UnavailableError('cassandra', operation, readable(error));
  if (!isFailure(error) || error.code !== responseErrorCodes.invalid) return error;
  const large = TOO_LARGE.exec(error.message);
  if (large) {
    const [bytes, limit] = large
      .slice(1)
      .filter((n) => n !== undefined)
      .map(Number);
    return new WriteTooLargeError(`All that was written at once for ${operation}`, bytes ?? 0, limit ?? 0, {
      cause: error,
    });
  }
  return missingSchema(error, schema) ?? error;
}

function missingSchema(error: DriverFailure, schema: CassandraSchema): SchemaMissingError | undefined {
  const tables = Object.values(schema.tables);
  const keyspace = MISSING_KEYSPACE.exec(error.message)?.[1];
  if (keyspace === schema.keyspace) return missingKeyspace(schema, { cause: error });
  const [, column, owner] = MISSING_COLUMN.exec(error.message) ?? [];
  const altered = tables.find((t) => t.name === owner);
  if (altered && column !== undefined && column in altered.columns) {
    const what = `The column '${column}' of the table '${schema.keyspace}.${altered.name}'`;
    return new SchemaMissingError(what, `${schema.addColumn(altered, column)};`, undefined, { cause: error });
  }
  const name = MISSING_TABLE.exec(error.message)?.[1];
  const table = tables.find((t) => t.name === name);
  if (!table) return undefined;
  const what = `The table '${schema.keyspace}.${table.name}'`;
  return new SchemaMissingError(what, `${schema.createTable(table)};`, undefined, { cause: error });
}

/** The replication in the statement is a proposal: only the user knows the data centres. */
export function missingKeyspace(
  schema: CassandraSchema,
  options?: { cause?: unknown; statement?: string },
): SchemaMissingError {
  const statement = options?.statement ?? schema.createKeyspace(1);
  return new SchemaMissingError(`The keyspace '${schema.keyspace}'`, `${statement};`, 'provision.keyspace', options);
}

function isFailure(error: unknown): error is DriverFailure {
  return typeof error === 'object' && error !== null && 'message' in error;
}
