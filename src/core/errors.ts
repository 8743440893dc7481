import { ErrorCode } from './error-codes.js';

export { ErrorCode } from './error-codes.js';

export interface FlowcraftKafkaErrorOptions {
  cause?: unknown;
  runId?: string;
  nodeId?: string;
}

/** Base of every error that this package throws. */
export abstract class FlowcraftKafkaError extends Error {
  abstract readonly code: ErrorCode;
  /** True when the same call may succeed later without any change by the caller. */
  readonly retryable: boolean = false;
  readonly runId?: string;
  readonly nodeId?: string;

  constructor(message: string, options: FlowcraftKafkaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    if (options.runId !== undefined) this.runId = options.runId;
    if (options.nodeId !== undefined) this.nodeId = options.nodeId;
  }
}

/** One or more options are missing or contradict each other; `problems` lists each by its path. */
export class ConfigurationError extends FlowcraftKafkaError {
  readonly code = ErrorCode.Configuration;
  /** @param of what the options are given to */
  constructor(
    readonly problems: readonly { path: string; message: string }[],
    options?: FlowcraftKafkaErrorOptions,
    of = 'FlowcraftKafkaModule',
  ) {
    const list = problems.map((p) => `  - ${p.path}: ${p.message}`).join('\n');
    super(`The options of ${of} have ${problems.length} problem(s):\n${list}`, options);
  }

  /** The same problems, where the options were given to something else. */
  about(of: string): ConfigurationError {
    return new ConfigurationError(this.problems, this.cause === undefined ? {} : { cause: this.cause }, of);
  }
}

/** Arguments of a call are of the wrong type or out of range; `problems` lists each by its path. Nothing was written. */
export class ArgumentInvalidError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ArgumentInvalid;
  constructor(
    call: string,
    readonly problems: readonly { path: string; message: string }[],
    options?: FlowcraftKafkaErrorOptions,
  ) {
    super(`${call}: ${problems.map((p) => `${p.path} ${p.message}`).join('; ')}.`, options);
  }
}

/** The blueprint id is not registered here, or the version asked for is not. */
export class BlueprintNotFoundError extends FlowcraftKafkaError {
  readonly code = ErrorCode.BlueprintNotFound;
  constructor(
    readonly blueprintId: string,
    known: readonly string[],
    version?: string,
    /** Of the same id; null: one without a version. */
    versions: readonly (string | null)[] = [],
  ) {
    if (version !== undefined && versions.length > 0) {
      const others = versions.map((other) => (other === null ? 'one without a version' : `'${other}'`)).join(', ');
      super(
        `Blueprint '${blueprintId}' is not registered in version '${version}'. Add that version to runtime.blueprints or forFeature({ blueprints }), or start one of those that are registered: ${others}.`,
      );
      return;
    }
    const which = version === undefined ? `'${blueprintId}'` : `'${blueprintId}' in version '${version}'`;
    const others = known.length > 0 ? known.map((id) => `'${id}'`).join(', ') : 'none';
    super(
      `Blueprint ${which} is not registered. Add it to runtime.blueprints or forFeature({ blueprints }). Registered: ${others}.`,
    );
  }
}

/** The blueprint cannot be run at all: its structure is broken. */
export class BlueprintInvalidError extends FlowcraftKafkaError {
  readonly code = ErrorCode.BlueprintInvalid;
  constructor(
    readonly blueprintId: string,
    message: string,
    options?: FlowcraftKafkaErrorOptions,
  ) {
    super(message, options);
  }
}

/** The blueprint names node types that nobody registered. */
export class NodeImplementationMissingError extends FlowcraftKafkaError {
  readonly code = ErrorCode.NodeImplementationMissing;
  constructor(
    readonly blueprintId: string,
    readonly missing: readonly { nodeId: string; uses: string }[],
  ) {
    const list = missing.map((m) => `'${m.uses}' (node '${m.nodeId}')`).join(', ');
    super(
      `Blueprint '${blueprintId}' uses node types that are not registered: ${list}. ` +
        `Add them to runtime.registry or forFeature({ nodes }), or declare a provider with @FlowNode('name').`,
    );
  }
}

/** `resume` named a node that does not wait (yet, or any more: the run may have ended), or another resume was first. */
export class NodeNotAwaitingError extends FlowcraftKafkaError {
  readonly code = ErrorCode.NodeNotAwaiting;
  /**
   * @param ended the status of the run, if it has ended
   * @param beginsAt when the run begins, if that is later: ISO 8601
   */
  constructor(
    runId: string,
    nodeId: string | undefined,
    awaiting: readonly string[],
    ended?: string,
    beginsAt?: string,
  ) {
    const list = awaiting.length > 0 ? awaiting.map((id) => `'${id}'`).join(', ') : 'none';
    const isChoice = nodeId === undefined && awaiting.length > 0;
    const text =
      nodeId !== undefined
        ? `Node '${nodeId}' of run '${runId}' is not awaiting. Awaiting now: ${list}.`
        : isChoice
          ? `Several nodes of run '${runId}' are awaiting: ${list}. Name the one that the answer is for.`
          : `No node of run '${runId}' is awaiting.`;
    const next =
      ended === undefined
        ? ` If the run has not come there yet, wait for it with waitForWorkflow('${runId}', { until: 'settled' }), and answer then; if it was answered before, there is nothing to do.`
        : ` The run has ended with status '${ended}'.`;
    const early =
      beginsAt !== undefined &&
      `No node of run '${runId}' awaits an answer yet: the run begins at ${beginsAt}, by itself. Until then it can only be cancelled; answer its nodes when they wait.`;
    super(early || (isChoice ? text : text + next), nodeId === undefined ? { runId } : { runId, nodeId });
  }
}

export class RunNotFoundError extends FlowcraftKafkaError {
  readonly code = ErrorCode.RunNotFound;
  constructor(runId: string) {
    super(`Run '${runId}' does not exist. Check the id, or start it with FlowcraftClient.start().`, { runId });
  }
}

/** The runId was used before, for another blueprint or another input. */
export class RunIdConflictError extends FlowcraftKafkaError {
  readonly code = ErrorCode.RunIdConflict;
  constructor(runId: string, differs: string) {
    super(`Run '${runId}' exists already with another ${differs}. Use a new runId, or the same ${differs}.`, { runId });
  }
}

export class RunIdInvalidError extends FlowcraftKafkaError {
  readonly code = ErrorCode.RunIdInvalid;
  constructor(runId: string) {
    super(`'${runId.slice(0, 140)}' is not a run id. Use 1 to 128 characters of A-Z a-z 0-9 _ . : -`);
  }
}

/** The run has ended, so it can't be cancelled any more, and no URL can be made for its nodes. */
export class RunEndedError extends FlowcraftKafkaError {
  readonly code = ErrorCode.RunEnded;
  constructor(runId: string, status: string) {
    super(`Run '${runId}' has ended with status '${status}'. Start a new run instead.`, { runId });
  }
}

/** `retry` has nothing to do for this run, or may not touch it: it has not ended, completed, or is a subflow's. */
export class RunNotRetryableError extends FlowcraftKafkaError {
  readonly code = ErrorCode.RunNotRetryable;
  constructor(runId: string, why: string) {
    super(`Run '${runId}' can't be retried: ${why}`, { runId });
  }
}

export class ContextKeyRefusedError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ContextKeyRefused;
  constructor(key: string, options?: FlowcraftKafkaErrorOptions) {
    const why = key.startsWith('\u0001') ? 'keys that begin so belong to the engine' : 'it could change prototypes';
    super(`The context key ${JSON.stringify(key)} is refused, because ${why}. Use another key.`, options);
  }
}

/** Where in a value something is that can't be carried, and what. */
export interface Flaw {
  /** The keys that lead there, with dots; empty: the value itself. */
  readonly path: string;
  /** As in "is a BigInt". */
  readonly why: string;
}

/** The serializer cannot carry a value (a cycle, a BigInt, a getter that throws, ...). */
export class ValueNotSerializableError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ValueNotSerializable;
  constructor(what: string, options: FlowcraftKafkaErrorOptions = {}, flaw?: Flaw) {
    const where = flaw && `: ${flaw.path === '' ? 'it' : `its '${flaw.path}'`} ${flaw.why}`;
    super(
      `${what} cannot be serialized${where ?? ''}. Return plain JSON data, or give runtime.serializer one that can carry it.`,
      options,
    );
  }
}

/** A value exceeds `limits.maxValueBytes`. Sizes are UTF-8 bytes after serialization. */
export class ValueTooLargeError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ValueTooLarge;
  constructor(
    what: string,
    readonly bytes: number,
    readonly maxBytes: number,
    options: FlowcraftKafkaErrorOptions = {},
  ) {
    super(
      `${what} has ${bytes} bytes, more than limits.maxValueBytes (${maxBytes}). Store it elsewhere and pass a reference, or raise the limit.`,
      options,
    );
  }
}

/**
 * The run did not end within the `timeoutMs` of its start, or that of a subflow within the `config.timeout` of its node: it
 * failed, and what was running was aborted.
 */
export class RunTimeoutError extends FlowcraftKafkaError {
  readonly code = ErrorCode.RunTimeout;
  /** @param parent the node that the run is the subflow of */
  constructor(runId: string, timeoutMs: number, parent?: { readonly runId: string; readonly nodeId: string }) {
    const limit = parent
      ? `config.timeout of node '${parent.nodeId}' of run '${parent.runId}', whose subflow it is`
      : 'timeoutMs of its start';
    super(
      `Run '${runId}' did not end within ${timeoutMs} ms, the ${limit}. Give it more time, or find out what held it up with getRun().`,
      { runId },
    );
  }

  /** Whether a text is the message of such an error, which is all that is kept of it. */
  static isIn(message: string): boolean {
    return /^Run '[^']*' did not end within \d+ ms, the .*\. Give it more time, or find out what held it up with getRun\(\)\.$/s.test(
      message,
    );
  }
}

/** A node's attempt did not end within its `config.timeout`. It counts as a failed attempt; its signal was aborted. */
export class NodeTimeoutError extends FlowcraftKafkaError {
  readonly code = ErrorCode.NodeTimeout;
  constructor(
    runId: string,
    nodeId: string,
    readonly timeoutMs: number,
    attempt: number,
    attempts: number,
  ) {
    super(
      `Node '${nodeId}' did not end within ${timeoutMs} ms (attempt ${attempt} of ${Math.max(attempt, attempts)}). Let it heed its signal, or raise config.timeout.`,
      { runId, nodeId },
    );
  }
}

/** A run made more turns than `limits.maxTurnsPerRun`: most likely a loop that does not end. */
export class TooManyTurnsError extends FlowcraftKafkaError {
  readonly code = ErrorCode.TooManyTurns;
  /** @param repetition the loop that the node is in, in words */
  constructor(runId: string, nodeId: string, maxTurns: number, repetition?: string) {
    super(
      `Run '${runId}' reached ${maxTurns} turns at node '${nodeId}'${repetition === undefined ? '' : ` in ${repetition}`}, possible infinite loop. Check the condition that should end it, or raise limits.maxTurnsPerRun.`,
      { runId, nodeId },
    );
  }

  /** The node that such an error is about, by its message, which is all that is kept of it. */
  static nodeIn(message: string): string | undefined {
    return /^Run '[^']*' reached \d+ turns at node '(.*?)'(?: in |, possible)/s.exec(message)?.[1];
  }
}

/** A message on the jobs topic that can never be a job. */
export class JobMalformedError extends FlowcraftKafkaError {
  readonly code = ErrorCode.JobMalformed;
}

/** A message in a format newer than this version knows: never guessed at. */
export class JobFormatTooNewError extends FlowcraftKafkaError {
  readonly code = ErrorCode.JobFormatTooNew;
  constructor(version: number, known: number) {
    super(
      `The job has format version ${version}; this version of the package knows up to ${known}. Upgrade the workers.`,
    );
  }
}

/** One or more servers could not be reached within `connectTimeoutMs` at start; `failures` names each, and why. */
export class ConnectError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ConnectFailed;
  override readonly retryable = true;
  constructor(
    readonly failures: readonly { readonly server: string; readonly cause: unknown }[],
    readonly timeoutMs: number,
  ) {
    const list = failures.map(
      ({ server, cause }) => `${server} could not be reached within ${timeoutMs} ms: ${reason(cause)}.`,
    );
    const todo = failures.length === 1 ? 'Check that it runs and the address' : 'Check that they run and the addresses';
    const causes = failures.map(({ cause }) => cause);
    super(`${list.join(' ')} ${todo} in the options.`, {
      cause: causes.length === 1 ? causes[0] : new AggregateError(causes),
    });
  }
}

/** A server did not answer, or refused for now. The engine retries these. */
export class UnavailableError extends FlowcraftKafkaError {
  readonly code = ErrorCode.Unavailable;
  override readonly retryable = true;
  constructor(
    readonly server: 'kafka' | 'cassandra' | 'redis',
    operation: string,
    cause: unknown,
  ) {
    super(
      `${server} is not available for ${operation}: ${reason(cause)}. Check that it runs, and try again; workers do so by themselves.`,
      { cause },
    );
  }
}

/** A call of the client did not end within `client.callTimeoutMs`, because a server is away or slow. */
export class CallTimeoutError extends FlowcraftKafkaError {
  readonly code = ErrorCode.CallTimeout;
  override readonly retryable = true;
  constructor(call: string, timeoutMs: number, options: FlowcraftKafkaErrorOptions = {}) {
    const why = options.cause instanceof Error ? `: ${options.cause.message}` : '';
    super(
      `${call} did not end within ${timeoutMs} ms${why}. Whether it takes effect is not known; repeat it, which is safe, when the servers answer.`,
      options,
    );
  }
}

/** A table or column is missing and provisioning may not create it. */
export class SchemaMissingError extends FlowcraftKafkaError {
  readonly code = ErrorCode.SchemaMissing;
  constructor(what: string, statement: string, option = 'provision.tables', options?: FlowcraftKafkaErrorOptions) {
    super(`${what} is missing. Run this, or set ${option} to 'create':\n${statement}`, options);
  }
}

export class TopicMissingError extends FlowcraftKafkaError {
  readonly code = ErrorCode.TopicMissing;
  constructor(topic: string) {
    super(`The Kafka topic '${topic}' does not exist. Create it, or set provision.topic to 'create'.`);
  }
}

/** Work was still running when `worker.drainTimeoutMs` was over; it will be redelivered. */
export class DrainTimeoutError extends FlowcraftKafkaError {
  readonly code = ErrorCode.DrainTimeout;
  constructor(
    timeoutMs: number,
    readonly unfinished: readonly string[],
  ) {
    super(
      `The worker did not drain within ${timeoutMs} ms; ${unfinished.length} node(s) were still running and will be run again: ${unfinished.slice(0, 10).join(', ')}. Raise worker.drainTimeoutMs, or make the nodes heed their signal.`,
    );
  }
}

export class IllegalStateError extends FlowcraftKafkaError {
  readonly code = ErrorCode.IllegalState;
}

/** The application closes or has closed, so this process learns nothing more. The runs go on. */
export class ClosedError extends FlowcraftKafkaError {
  readonly code = ErrorCode.Closed;
}

/** Of an error below, to be followed by a full stop. */
function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).replace(/\.+$/, '');
}
