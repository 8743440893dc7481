import { UnavailableError } from '../../core/errors.js';

/**
 * Replies by which a server refuses for now. An error inside a script carries the reply in the middle of its message
 * (before version 7), and a refused transaction says no more than EXECABORT.
 */
const REFUSALS = [
  ...['ASK', 'BUSY', 'CLUSTERDOWN', 'EXECABORT', 'LOADING', 'MASTERDOWN', 'MISCONF', 'MOVED', 'NOAUTH', 'NOREPLICAS'],
  ...['NOSCRIPT', 'OOM', 'READONLY', 'TRYAGAIN', 'UNBLOCKED', 'WRONGPASS', 'ERR max number of clients'],
];
const REFUSED = new RegExp(`(?:^|[-:] ?-?)(?:${REFUSALS.join('|')})\\b`);
const BUGS = new Set(['TypeError', 'RangeError', 'SyntaxError', 'ReferenceError']);

/**
 * What a failed command is to the caller: UnavailableError if the server could not be reached, did not answer in time,
 * or refuses for now; anything else is a bug (a script that fails, wrong arguments) and stays as it is.
 */
export function redisError(operation: string, error: unknown): unknown {
  const { name, message } = describe(error);
  if (BUGS.has(name)) return error;
  if (name === 'ReplyError' && !REFUSED.test(message)) return error;
  return new UnavailableError('redis', operation, withoutCommand(error));
}

/** The server has refused a script because its keys lie in different slots. */
export function isRefusedAsApart(error: unknown): boolean {
  return /\bCROSSSLOT\b/.test(describe(error).message);
}

/**
 * ioredis hangs the failed command on its error: for AUTH and HELLO that is the password. A cluster says no more than
 * that all nodes failed, and hangs on the error of the last one.
 */
export function withoutCommand(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  const last = 'lastNodeError' in error ? error.lastNodeError : undefined;
  if (!('command' in error) && last === undefined) return error;
  const { name, message } = describe(error);
  const copy = new Error(last === undefined ? message : `${message} Last: ${describe(last).message}`);
  copy.name = name;
  return copy;
}

/** Errors of Node's own modules are not `instanceof` ours in another realm (a test runner's, for instance). */
function describe(error: unknown): { name: string; message: string } {
  if (typeof error !== 'object' || error === null) return { name: '', message: String(error) };
  const { name, message } = error as { name?: unknown; message?: unknown };
  return { name: typeof name === 'string' ? name : '', message: typeof message === 'string' ? message : '' };
}
