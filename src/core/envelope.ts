import { JobFormatTooNewError, JobMalformedError } from './errors.js';
import { isRunId } from './identifiers.js';
import { FIRST_TURN } from './turns.js';

/** The format that this version writes; a reader refuses newer ones. Absent in jobs of foreign clients. */
export const JOB_FORMAT = 1;
/** Jobs hold references only; anything larger is no job. */
export const MAX_JOB_BYTES = 65_536;
const MAX_DEPTH = 8;
const MAX_ID_LENGTH = 1024;

/** The message "node N of run R is ready", or a question about the run (`probe`). */
export interface Job {
  readonly runId: string;
  readonly blueprintId: string;
  readonly nodeId: string;
  /** Absent in jobs of foreign clients: the node's first turn. */
  readonly turn?: string;
  readonly probe?: true;
  /** The ledger has the turn open, so what a worker remembers of it does not count: Redis may have gone back to an older state. */
  readonly isOpen?: true;
  /** The pause of a retried node that is over: it ended at this time, milliseconds since 1970. */
  readonly pausedUntil?: number;
  /** Since when no worker that saw the job could route it; milliseconds since 1970. */
  readonly unroutableSince?: number;
  /** How often the run had been retried when the job was sent; absent: never. */
  readonly retries?: number;
}

export function encodeJob(job: Job): string {
  return JSON.stringify({ ...job, v: JOB_FORMAT });
}

/**
 * @throws JobMalformedError if the bytes are no job
 * @throws JobFormatTooNewError if they are one of a later version
 */
export function decodeJob(bytes: Buffer | null): Job {
  if (bytes === null) throw new JobMalformedError('The message has no value.');
  if (bytes.byteLength > MAX_JOB_BYTES) {
    throw new JobMalformedError(`The message has ${bytes.byteLength} bytes; a job has at most ${MAX_JOB_BYTES}.`);
  }
  const parsed = parse(bytes);
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed))
    throw new JobMalformedError('The message is no JSON object.');
  if (!isFlat(parsed) && depth(parsed) > MAX_DEPTH)
    throw new JobMalformedError(`The message is nested deeper than ${MAX_DEPTH} levels.`);
  const { v, runId, blueprintId, nodeId, turn, probe, isOpen, pausedUntil, unroutableSince, retries } =
    parsed as Record<string, unknown>;
  if (v !== undefined && (typeof v !== 'number' || !Number.isInteger(v) || v < 1))
    throw new JobMalformedError("The job's format version is no number.");
  if (typeof v === 'number' && v > JOB_FORMAT) throw new JobFormatTooNewError(v, JOB_FORMAT);
  if (!isRunId(runId)) throw new JobMalformedError("The job's runId is missing, or no run id.");
  const id = (value: unknown, name: string) => {
    if (typeof value !== 'string' || value === '' || value.length > MAX_ID_LENGTH)
      throw new JobMalformedError(`The job's ${name} is missing, or no text of 1 to ${MAX_ID_LENGTH} characters.`);
    return value;
  };
  const job = {
    runId,
    blueprintId: id(blueprintId, 'blueprintId'),
    nodeId: probe === true ? '' : id(nodeId, 'nodeId'),
    ...(isOpen === true ? { isOpen: true as const } : {}),
    ...(typeof pausedUntil === 'number' ? { pausedUntil } : {}),
    ...(typeof unroutableSince === 'number' ? { unroutableSince } : {}),
    ...(typeof retries === 'number' ? { retries } : {}),
  };
  if (turn !== undefined) return { ...job, turn: id(turn, 'turn'), ...(probe === true ? { probe } : {}) };
  return probe === true ? { ...job, probe } : job;
}

export function jobTurn(job: Job): string {
  return job.turn ?? FIRST_TURN;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new JobMalformedError('The message is no JSON.', { cause });
  }
}

/** As every job is. */
function isFlat(value: object): boolean {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) return false;
  return true;
}

function depth(value: unknown): number {
  let level: unknown[] = [value];
  let levels = 0;
  for (; level.length > 0 && levels <= MAX_DEPTH; levels++) {
    level = level.flatMap((v): unknown[] => (v !== null && typeof v === 'object' ? Object.values(v) : []));
  }
  return levels;
}
