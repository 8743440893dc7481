import { ArgumentInvalidError } from './errors.js';
import { isRunId } from './identifiers.js';

/** The last run of a page: the next page begins after it. */
export interface RunCursor {
  readonly createdAt: number;
  readonly runId: string;
}

export function encodeRunCursor({ createdAt, runId }: RunCursor): string {
  return JSON.stringify([createdAt, runId]);
}

/** @throws ArgumentInvalidError if this is no cursor of an earlier page */
export function decodeRunCursor(text: string): RunCursor {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const [createdAt, runId] = Array.isArray(parsed) && parsed.length === 2 ? (parsed as unknown[]) : [];
  if (typeof createdAt !== 'number' || !Number.isSafeInteger(createdAt) || !isRunId(runId))
    throw new ArgumentInvalidError('listRuns()', [
      { path: 'cursor', message: 'must be the cursor of an earlier page, unchanged' },
    ]);
  return { createdAt, runId };
}
