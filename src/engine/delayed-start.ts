import { NodeNotAwaitingError } from '../core/errors.js';
import { isEndStatus } from '../core/run.js';
import type { ActiveRun } from './active-run.js';

/**
 * In place of the error that no node awaits an answer: that the run has yet to begin, if that is why. Any other error stays
 * what it is.
 * @param now milliseconds since 1970
 */
export function beforeStart(
  error: unknown,
  { runId, record }: Pick<ActiveRun, 'runId' | 'record'>,
  nodeId: string | undefined,
  now: number,
): unknown {
  const { startAt } = record.options ?? {};
  if (!(error instanceof NodeNotAwaitingError) || isEndStatus(record.status)) return error;
  if (startAt === undefined || startAt <= now) return error;
  return new NodeNotAwaitingError(runId, nodeId, [], undefined, new Date(startAt).toISOString());
}
