/** What the engine can be told. `nest/options` documents these for users and gives the defaults. */
export interface EngineOptions {
  readonly worker: WorkerSettings;
  readonly limits: LimitSettings;
  readonly reconciler: ReconcilerSettings;
  /** Default: `unknownNodes` refuse. */
  readonly blueprints?: BlueprintSettings;
  readonly client: ClientSettings;
  /** Absent: no URLs can be made here. */
  readonly webhooks?: WebhookSettings;
}

export interface BlueprintSettings {
  /**
   * `refuse`: a run of a blueprint that names an unknown node type is not started, and its jobs are left to workers that
   * know it. `fail`: such a node fails when it executes, as in flowcraft. `elsewhere`: this process executes no nodes, so
   * what it lacks says nothing about a blueprint; jobs are left to workers.
   */
  readonly unknownNodes: 'refuse' | 'fail' | 'elsewhere';
}

export interface WorkerSettings {
  /** Nodes that one worker executes at a time. */
  readonly concurrency: number;
  /** For so long a claim holds without renewal. */
  readonly leaseMs: number;
  /** A worker that did not say for so long that it lives counts as dead. */
  readonly livenessMs: number;
  /** `drain` waits at most so long for nodes that are running. */
  readonly drainTimeoutMs: number;
  /**
   * A turn that goes on in the worker that fired it gets a message only if it, and what follows it here, is not done by
   * then. 0: each gets one at once.
   */
  readonly emitDelayMs: number;
  /** No offset is held longer: what is not done by then is written again at the tail of the topic. */
  readonly maxHoldMs: number;
  /** A job whose blueprint or node implementation this worker lacks is put back for so long, then parked as a dead letter. */
  readonly unroutableGraceMs: number;
  /** Delay of such a job until its next try. */
  readonly unroutableDelayMs: number;
}

export interface ClientSettings {
  /** A call of the client ends within so long, whatever the servers do; a wait has a time of its own. */
  readonly callTimeoutMs: number;
}

export interface WebhookSettings {
  /** What the outside world calls this application by: scheme and host, and what a proxy puts before the path. */
  readonly baseUrl?: string;
  readonly path: string;
  /** How long a URL is valid. */
  readonly ttlSeconds: number;
}

export interface LimitSettings {
  readonly maxValueBytes: number;
  readonly maxValueDepth: number;
  /** Of an initial context, and of all that a turn writes at once. */
  readonly maxContextBytes: number;
  readonly maxResultBytes: number;
  /** Dynamic nodes that one turn may add. */
  readonly maxFanOut: number;
  readonly maxBlueprintNodes: number;
  readonly maxTurnsPerRun: number;
  /** How many levels of subflows may lie below a run. */
  readonly maxSubflowDepth: number;
}

export interface ReconcilerSettings {
  /** A run that made no progress for so long is looked at. */
  readonly stalledThresholdSeconds: number;
  /** At most so many runs a sweep. */
  readonly maxRunsPerSweep: number;
}

/** After so long a turn that goes on in its worker gets a message: before the one that stands for it would be written again. */
export function emitDelayOf({ worker: { emitDelayMs, maxHoldMs } }: EngineOptions): number {
  return Math.min(emitDelayMs, maxHoldMs / 2);
}

/** At most so many turns wait for each permit that a worker has ... */
export const AHEAD_PER_PERMIT = 4;
const MOST_AHEAD_MS = 1_500;

/** ... and so long. With a message for each turn they need not wait: it may go to another worker. */
export function aheadWaitOf({ worker: { emitDelayMs, leaseMs } }: EngineOptions): number {
  return emitDelayMs === 0 ? 0 : Math.min(leaseMs / 8, MOST_AHEAD_MS);
}
