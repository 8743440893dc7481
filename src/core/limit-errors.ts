import { ErrorCode, FlowcraftKafkaError, type FlowcraftKafkaErrorOptions } from './errors.js';

/** A value is nested deeper than `limits.maxValueDepth`. */
export class ValueTooDeepError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ValueTooDeep;
  constructor(what: string, maxDepth: number, options: FlowcraftKafkaErrorOptions = {}) {
    super(
      `${what} is nested deeper than limits.maxValueDepth (${maxDepth} levels). Flatten it, or store it elsewhere and pass a reference.`,
      options,
    );
  }
}

/** `runtime.serializer` threw at what is stored. */
export class ValueNotReadableError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ValueNotReadable;
  constructor(options: FlowcraftKafkaErrorOptions & { cause: unknown }) {
    const { cause } = options;
    // the error of a parser quotes what it read
    const isTelling = cause instanceof Error && !(cause instanceof SyntaxError);
    super(
      `runtime.serializer cannot read a stored value${isTelling ? `: ${cause.message}` : ''}. Give every process a serializer that reads what any of them has written.`,
      isTelling ? options : { ...options, cause: undefined },
    );
  }
}

/**
 * An initial context, or all that one turn of a node writes, exceeds `limits.maxContextBytes`. Sizes are UTF-8 bytes of
 * keys and serialized values.
 */
export class ContextTooLargeError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ContextTooLarge;
  constructor(
    what: string,
    readonly bytes: number,
    readonly maxBytes: number,
    options: FlowcraftKafkaErrorOptions = {},
  ) {
    super(
      `${what} has ${bytes} bytes, more than limits.maxContextBytes (${maxBytes}). Store large values elsewhere and pass references, or raise the limit.`,
      options,
    );
  }
}

/** All that one turn of a node writes, or an initial context, is more than the database takes at once. */
export class WriteTooLargeError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ValueTooLarge;
  constructor(
    what: string,
    readonly bytes: number,
    readonly maxBytes: number,
    options: FlowcraftKafkaErrorOptions = {},
  ) {
    super(
      `${what} has ${bytes} bytes, more than the Cassandra server takes at once (${maxBytes}). Store large values elsewhere and pass references; no limit of this package can raise that of the server.`,
      options,
    );
  }
}

/** What a node came to could not be recorded, for a reason that lies in it: the node has failed. */
export class OutcomeRefusedError extends FlowcraftKafkaError {
  readonly code = ErrorCode.OutcomeRefused;
  constructor(nodeId: string, options: FlowcraftKafkaErrorOptions & { cause: unknown }) {
    super(
      `What node '${nodeId}' came to cannot be recorded: ${options.cause instanceof Error ? options.cause.message : String(options.cause)}. Look at its output, its action, what it wrote to the context, and the conditions and transforms of its edges.`,
      options,
    );
  }
}

/** A node returned more `dynamicNodes` than `limits.maxFanOut`. */
export class FanOutTooLargeError extends FlowcraftKafkaError {
  readonly code = ErrorCode.FanOutTooLarge;
  constructor(
    readonly nodes: number,
    readonly maxNodes: number,
    options: FlowcraftKafkaErrorOptions,
  ) {
    super(
      `Node '${options.nodeId}' returned ${nodes} dynamic nodes, more than limits.maxFanOut (${maxNodes}). Give each of them more items, or raise the limit.`,
      options,
    );
  }
}

/** `runtime.evaluator` threw at an edge. In-process `run()` would reject with its error; here the run fails at once. */
export class EdgeEvaluationError extends FlowcraftKafkaError {
  readonly code = ErrorCode.EdgeEvaluation;
  constructor(nodeId: string, options: FlowcraftKafkaErrorOptions & { cause: Error }) {
    super(
      `runtime.evaluator threw at an edge out of node '${nodeId}': ${options.cause.message}. The run ends with this. Let the evaluator answer undefined for what it cannot evaluate, or correct the condition or transform.`,
      options,
    );
  }
}

/** How many of a chain are named at each of its ends. */
const NAMED = 4;

/** A subflow would be started deeper than `limits.maxSubflowDepth`: most likely one that starts itself without an end. */
export class SubflowTooDeepError extends FlowcraftKafkaError {
  readonly code = ErrorCode.SubflowTooDeep;
  /** @param chain the blueprints, from that of the run at the top to the one that would be started */
  constructor(maxDepth: number, chain: readonly string[], options: FlowcraftKafkaErrorOptions) {
    const left = chain.length - 2 * NAMED;
    const named = left > 1 ? [...chain.slice(0, NAMED), undefined, ...chain.slice(-NAMED)] : chain;
    const text = named.map((id) => (id === undefined ? `... (${left} more)` : `'${id}'`)).join(' > ');
    super(
      `Node '${options.nodeId}' would start a subflow more than limits.maxSubflowDepth (${maxDepth}) levels deep: ${text}. Check the condition that should end the recursion, or raise the limit.`,
      options,
    );
  }
}

/** A node returned `dynamicNodes` that can't be nodes of a run. */
export class DynamicNodeInvalidError extends FlowcraftKafkaError {
  readonly code = ErrorCode.DynamicNodeInvalid;
  constructor(problem: string, options: FlowcraftKafkaErrorOptions) {
    super(`Node '${options.nodeId}' returned dynamic nodes that can't be: one ${problem}.`, options);
  }
}

/** What a foreign client wrote as the initial context of a run can't be one. */
export class ForeignContextInvalidError extends FlowcraftKafkaError {
  readonly code = ErrorCode.ForeignContextInvalid;
  constructor(runId: string, problem: string) {
    super(`The row that a client wrote as the initial context of run '${runId}' ${problem}. Correct the client.`, {
      runId,
    });
  }
}
