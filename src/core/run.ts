import type { NodeDefinition } from 'flowcraft';
import type { BatchRecord } from './batch.js';
import type { RetryRecord } from './retry.js';

export type RunStatus = 'running' | 'awaiting' | 'completed' | 'failed' | 'cancelled';
export type EndStatus = Extract<RunStatus, 'completed' | 'failed' | 'cancelled'>;

export function isEndStatus(status: string): status is EndStatus {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** The turn that a child run (a subflow) works for. */
export interface ParentTurn {
  readonly runId: string;
  readonly nodeId: string;
  readonly turn: string;
  /** The run at the top: its id is the execution id of all runs below it. */
  readonly rootRunId: string;
  /** How many levels the child lies below the run at the top; absent in runs that are older than this: taken for 1. */
  readonly depth?: number;
  /** Counts from 1: a failed child is started again as often as the node may be tried. */
  readonly attempt: number;
  /** How often the parent had been retried when the child was started; absent: never. */
  readonly retries?: number;
}

/** What the run was told at its start. Times are milliseconds since 1970. */
export interface RunOptions {
  /** Nothing of it runs before. */
  readonly startAt?: number;
  /** If it has not ended by then, it fails. */
  readonly deadline?: number;
  /** Absent: the other branches go on when a node fails. */
  readonly failurePolicy?: 'fail-fast';
  /** The versions of its subflows and of theirs: content hashes by blueprint id, as far as they were known at its start. */
  readonly subflows?: Readonly<Record<string, string>>;
}

/** The version of a subflow that a run is pinned to; undefined if it gets the one that is current where it is started. */
export function pinOf({ options }: Pick<RunRecord, 'options'>, blueprintId: string): string | undefined {
  const pins = options?.subflows ?? {};
  return Object.hasOwn(pins, blueprintId) ? pins[blueprintId] : undefined;
}

/** Whether the run has not come to its time yet. `now`: microseconds, the ledger's time. */
export function isDelayed({ options }: Pick<RunRecord, 'options'>, now: number): boolean {
  return (options?.startAt ?? 0) * 1000 > now;
}

/** When the run must have ended, in milliseconds since 1970; of a run that was opened again, this time. */
export function deadlineOf({ options, retry }: Pick<RunRecord, 'options' | 'retry'>): number | undefined {
  return retry?.deadline ?? options?.deadline;
}

/** How long the run, or each attempt of it, may take from the time it begins; milliseconds. */
export function timeLimitOf({ options, createdAt }: Pick<RunRecord, 'options' | 'createdAt'>): number | undefined {
  return options?.deadline === undefined ? undefined : options.deadline - (options.startAt ?? createdAt);
}

/** The durable head of a run: written once when it is accepted, once when it ends. */
export interface RunRecord {
  readonly runId: string;
  readonly blueprintId: string;
  readonly blueprintVersion: string | null;
  readonly blueprintHash: string;
  /** The initial context, each value serialized: `{ key: text }` as JSON. */
  readonly input: string;
  readonly inputHash: string;
  readonly tags: readonly string[];
  readonly parent?: ParentTurn;
  readonly options?: RunOptions;
  /** Milliseconds since 1970, the accepting client's clock; only for people. */
  readonly createdAt: number;
  readonly status: 'running' | EndStatus;
  readonly endedAt?: number;
  readonly reason?: string;
  /** How often the run was opened again after it had ended; absent: never. */
  readonly retries?: number;
  /** The last of these. */
  readonly retry?: RetryRecord;
}

/** A node's own error, kept beside flowcraft's wording of it. */
export interface ErrorRecord {
  readonly message: string;
  readonly isFatal: boolean;
  readonly cause?: { readonly name: string; readonly message: string };
  /** No node of the run executes after this. */
  readonly endsRun?: true;
}

/** `reset`: the outcome was discarded by a retry of the run; the turn has none until it executes again. */
export type TurnStatus = 'completed' | 'failed' | 'awaiting' | 'cancelled' | 'reset';

/** What a failed node waits for that is tried again after a long pause. The run works on, as far as others can tell. */
export const RETRY = 'retry';

/** What a node waits for whose child run is under way. */
export const SUBFLOW = 'subflow';

export interface AwaitingDetails {
  readonly reason: string;
  /** ISO 8601. */
  readonly wakeUpAt?: string;
  /** The run that the node waits for, if the reason is `subflow`. */
  readonly childRunId?: string;
}

/**
 * A row of the journal: how one turn of one node settled. With the blueprint, the rows of a run are enough to rebuild
 * its ledger.
 */
export interface TurnRecord {
  readonly nodeId: string;
  readonly turn: string;
  /** The fencing token under which this row was written (microseconds), and the stamp of its write. */
  readonly token: number;
  readonly status: TurnStatus;
  /** For each loop around the node, outermost first, the pass that this turn belongs to. */
  readonly passes: readonly string[];
  /** Serialized; absent when the node gave no result at all (flowcraft stores no output then). */
  readonly output?: string;
  readonly action?: string;
  /** Targets to which an edge was taken. */
  readonly taken: readonly string[];
  /** The fallback node that stands in for this failed one. */
  readonly rescuer?: string;
  /** Nodes that were added to the run, with edges in the blueprint, that this one has stood in for. */
  readonly rescuedAdded?: readonly string[];
  readonly dynamicNodes?: readonly NodeDefinition[];
  readonly batch?: BatchRecord;
  readonly gather?: string;
  /** Context keys that this turn wrote beside its output and its successors' inputs. */
  readonly writes: readonly string[];
  /** The context keys `_inputs.<target>` that this turn wrote. */
  readonly inputsWritten: readonly string[];
  /** The context keys that hold the output of this row and have no value of their own. */
  readonly gives?: readonly string[];
  readonly error?: ErrorRecord;
  readonly awaiting?: AwaitingDetails;
  readonly worker: string;
  /** How often the node's code was tried in this turn, and how often the turn was claimed. */
  readonly attempts: number;
  readonly claims: number;
  /** Milliseconds since 1970, the executing worker's clock; only for people. */
  readonly startedAt: number;
  readonly endedAt: number;
}

/** The context keys that were written with a row. */
export function keysOf({ nodeId, status, output, writes, inputsWritten }: TurnRecord): string[] {
  const own = output === undefined || status === 'awaiting' ? [] : [`_outputs.${nodeId}`];
  return [...writes, ...inputsWritten, ...own];
}

/** Rows by their token. */
export function byToken(rows: readonly TurnRecord[]): Map<number, TurnRecord[]> {
  const found = new Map<number, TurnRecord[]>();
  for (const row of rows) {
    const others = found.get(row.token);
    if (others) others.push(row);
    else found.set(row.token, [row]);
  }
  return found;
}

/** A row of a turn that pauses between two attempts. */
export function isRetry(row: Pick<TurnRecord, 'status' | 'awaiting'>): boolean {
  return row.status === 'awaiting' && row.awaiting?.reason === RETRY;
}

/** When a waiting turn is looked at, milliseconds since 1970; undefined if no time is set. */
export function wakeUpTime(row: Pick<TurnRecord, 'status' | 'awaiting'>): number | undefined {
  if (row.status !== 'awaiting' || row.awaiting?.wakeUpAt === undefined) return undefined;
  const time = Date.parse(row.awaiting.wakeUpAt);
  return Number.isNaN(time) ? undefined : time;
}

export interface TurnName {
  readonly nodeId: string;
  readonly turn: string;
}
