import type { WorkflowBlueprint } from 'flowcraft';
import type { ContextRow } from '../core/context-view.js';
import type { RetryRecord } from '../core/retry.js';
import type { WebhookCall, WebhookRecord } from '../core/webhook.js';
import type { EndStatus, RunRecord, RunStatus, TurnName, TurnRecord } from '../core/run.js';

/** One key of a run's context as it is stored. */
export type StoredValue = ContextRow;
export type ValueWrite = Omit<ContextRow, 'stamp'>;

/** All that one settled turn writes: applied as one, or not at all. */
export interface TurnWrite {
  readonly runId: string;
  readonly record: TurnRecord;
  readonly values: readonly ValueWrite[];
  /** Values that are written before all others, in pieces: too many for one write, and read by nobody until the turn has settled. */
  readonly ahead?: readonly ValueWrite[];
}

export interface StatusWrite {
  readonly runId: string;
  readonly status: RunStatus;
  readonly reason?: string;
  /** WorkflowResult as JSON. */
  readonly result?: string;
  /** Of two writes the higher stamp holds, whoever is late. */
  readonly stamp: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface StatusRow {
  readonly status: RunStatus;
  readonly reason?: string;
  readonly result?: string;
  readonly updatedAt: number;
}

/** What a foreign client wrote before it sent the first job of a run. */
export interface ForeignRun {
  /** The initial context as JSON, if there is a row. */
  readonly data?: string;
  /** The highest write time of the client's rows, microseconds. */
  readonly stamp: number;
}

/** `ended` false: there is no such run, or another has ended it first, as it then says. */
export type EndAnswer =
  { readonly ended: true; readonly run?: never } | { readonly ended: false; readonly run: RunRecord | undefined };

/** A dead letter that was sent again. */
export interface RedriveMark {
  readonly partition: number;
  readonly offset: bigint;
  /** When it was parked, as its header says: offsets begin anew when a topic is made anew. */
  readonly failedAt: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface StoredWebhook extends WebhookRecord {
  readonly used: boolean;
}

export interface RunFilter {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly cursor?: string;
}

/**
 * The durable truth: runs, journal, context, blueprints. Writes carry the fencing token as their stamp, so that a late
 * write of an older claimant loses by the store's own rule and a repeated one changes nothing. Calls that cannot be
 * served reject with UnavailableError; whether a write took effect is then unknown, and repeating it is safe.
 */
export interface RunStore {
  connect(): Promise<void>;
  /** Creates or verifies keyspace and tables, as configured. @throws SchemaMissingError */
  provision(): Promise<void>;
  close(): Promise<void>;

  /** Accepts a run unless its id is taken; answers the run that holds the id. Indexed before it is accepted. */
  accept(run: RunRecord): Promise<{ accepted: boolean; run: RunRecord }>;
  /**
   * Accepts a run whose id was made for it, so that no other can hold it, together with its first status: both, or
   * nothing. Indexed before that. Cheaper than `accept`, since nothing has to be decided.
   */
  create(run: RunRecord, first: StatusWrite): Promise<void>;
  run(runId: string): Promise<RunRecord | undefined>;
  /**
   * Ends a running run.
   * @param retries which attempt of the run is meant; a run that was opened again since is left alone
   */
  end(runId: string, status: EndStatus, reason: string | undefined, at: number, retries?: number): Promise<EndAnswer>;
  /**
   * Opens a run again that has ended. Answers the run as it then is: another may have been first.
   * @param retries how often it was opened again before
   */
  reopen(
    runId: string,
    retries: number,
    retry: RetryRecord,
  ): Promise<{ reopened: boolean; run: RunRecord | undefined }>;
  /** Run ids by time of acceptance, newest first, in pages. */
  list(filter: RunFilter): Promise<{ runIds: string[]; cursor?: string }>;

  turn(runId: string, nodeId: string, turn: string): Promise<TurnRecord | undefined>;
  /** The journal of a run. `outputs` false leaves out the outputs, which may be large; a replay needs them. */
  turns(runId: string, outputs?: boolean): Promise<TurnRecord[]>;
  write(write: TurnWrite): Promise<void>;

  /**
   * The values of these keys; none for a key never written.
   * @param givers the nodes whose first turns may give what the keys hold (core/given-values.ts)
   */
  values(runId: string, keys: readonly string[], givers: readonly string[]): Promise<StoredValue[]>;
  allValues(runId: string): Promise<StoredValue[]>;
  /** Undefined if the values have more characters than `most`: no more than that is held in memory. */
  allValues(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  /** Without what rows of the journal give: for a caller that has them, or knows that there is nothing. */
  ownValues(runId: string): Promise<StoredValue[]>;
  ownValues(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  /** Writes values that no turn wrote. All of them, or none. */
  writeValues(runId: string, values: readonly ValueWrite[], stamp: number): Promise<void>;
  /** Outputs of settled turns, serialized; none for a turn without output. */
  outputs(runId: string, turns: readonly TurnName[]): Promise<(TurnName & { output: string })[]>;

  writeStatus(write: StatusWrite): Promise<void>;
  status(runId: string): Promise<StatusRow | undefined>;
  /** Notes progress: moves only the time of the status row. */
  touchStatus(runId: string, stamp: number, at: number): Promise<void>;
  /** Runs whose status row says running and did not move since `before` (milliseconds): for the page's reconciler on foreign rows. */
  foreign(runId: string): Promise<ForeignRun | undefined>;

  /** Remembers that dead letters were sent again. */
  markRedriven(topic: string, marks: readonly RedriveMark[]): Promise<void>;
  /** The dead letters of a partition that were sent again, from one offset and before another. */
  redriven(topic: string, partition: number, from: bigint, to: bigint): Promise<RedriveMark[]>;

  /** Stores an address that was told to somebody. Adding it once more changes nothing. */
  addWebhook(hook: WebhookRecord): Promise<void>;
  /** Undefined if there is none with this hash. One that has expired may be forgotten, or not yet. */
  webhook(hash: string): Promise<StoredWebhook | undefined>;
  /** The address has served. */
  useWebhook(hook: WebhookRecord): Promise<void>;
  /** Keeps a call for its turn, unless another is kept already. Answers whether this one is. */
  keepCall(call: WebhookCall): Promise<boolean>;
  keptCall(runId: string, turn: TurnName): Promise<WebhookCall | undefined>;
  /** The call has been handed to its turn. */
  dropCall(call: WebhookCall): Promise<void>;

  saveBlueprint(hash: string, blueprint: WorkflowBlueprint): Promise<void>;
  blueprint(blueprintId: string, hash: string): Promise<WorkflowBlueprint | undefined>;
}
