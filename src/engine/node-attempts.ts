import {
  FlowcraftError,
  isNodeClass,
  type IAsyncContext,
  type NodeClass,
  type NodeContext,
  type NodeFunction,
} from 'flowcraft';
import { retryPauseMs, type AttemptPolicy } from '../core/attempts.js';
import { NodeTimeoutError } from '../core/errors.js';
import { delay, type Clock } from '../ports/clock.js';

/** A pause that is not longer keeps its slot; a longer one frees it, and survives a restart. */
const LONGEST_HELD_MS = 3_000;

export type Implementation = NodeFunction | NodeClass;

export interface AttemptsRequest {
  readonly runId: string;
  readonly nodeId: string;
  readonly policy: AttemptPolicy;
  /** Attempts of this turn that were made before, by whichever worker. */
  readonly before: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Ends flowcraft's own attempts, since the next one comes later, wherever. */
class RetriedLater extends FlowcraftError {
  constructor(cause: unknown) {
    super('The node is tried again later.', { cause: cause as Error, isFatal: true });
  }
}

/**
 * The attempts at one node turn: counted, with a time limit each and a pause before the next. flowcraft repeats a node's
 * code by itself (that of a class: its `exec`); this stands between the two.
 */
export class NodeAttempts {
  made: number;
  /** Set if the next attempt comes after a pause too long to hold a slot: its time, and why it is made. */
  later: { readonly at: number; readonly error: unknown } | undefined;
  private pauseMs = 0;

  constructor(private readonly request: AttemptsRequest) {
    this.made = request.before;
  }

  wrap(implementation: Implementation): Implementation {
    if (isNodeClass(implementation)) return this.wrapClass(implementation as unknown as AnyNodeClass);
    const code = implementation;
    return ((context: NodeContext) => this.attempt(async (ctx) => code(ctx), context)) as NodeFunction;
  }

  private wrapClass(NodeType: AnyNodeClass): Implementation {
    const attempt = this.attempt.bind(this);
    // a node may have private fields and a constructor of its own: it is called, not extended
    function AttemptedNode(params: unknown, nodeId: string): object {
      const node = new NodeType(params, nodeId);
      const call = (name: string, ...args: unknown[]) => (node[name] as Method).apply(node, args);
      return {
        prep: (context: NodeContext) => call('prep', context),
        exec: (prepared: unknown, context: NodeContext) => attempt((ctx) => call('exec', prepared, ctx), context),
        post: (result: unknown, context: NodeContext) => call('post', result, context),
        fallback: (error: unknown, context: NodeContext) => call('fallback', error, context),
        recover: (error: unknown, context: NodeContext) =>
          call('recover', error instanceof RetriedLater ? error.cause : error, context),
      };
    }
    // what flowcraft takes for a class
    Object.assign(AttemptedNode.prototype as object, { exec: attempt });
    return AttemptedNode as unknown as NodeClass;
  }

  private async attempt<T>(code: (context: NodeContext) => Promise<T>, context: NodeContext): Promise<T> {
    const { policy, signal, clock, random } = this.request;
    if (this.pauseMs > 0) await delay(clock, this.pauseMs, signal);
    signal.throwIfAborted();
    this.pauseMs = 0;
    this.later = undefined;
    this.made++;
    try {
      return await this.limited(code, this.introduced(context));
    } catch (error) {
      const isFinal = this.made >= policy.maxAttempts || isNeverRetried(error) || signal.aborted;
      if (isFinal || policy.retryDelayMs === 0) throw error;
      const pause = retryPauseMs(policy, this.made, random());
      if (pause > LONGEST_HELD_MS) {
        this.later = { at: clock.now() + pause, error };
        throw new RetriedLater(error);
      }
      this.pauseMs = pause;
      throw error;
    }
  }

  /** Tells the node which attempt this is. */
  private introduced(context: NodeContext): NodeContext {
    const turn = context.dependencies['turn'] as object;
    return { ...context, dependencies: { ...context.dependencies, turn: { ...turn, attempt: this.made } } };
  }

  /** Runs one attempt within its time limit. After that its signal is aborted, and it can write to the context no more. */
  private limited<T>(code: (context: NodeContext) => Promise<T>, context: NodeContext): Promise<T> {
    const { policy, signal, clock, runId, nodeId } = this.request;
    const { timeoutMs } = policy;
    if (timeoutMs === undefined) return code(context);
    const own = new AbortController();
    const abort = () => own.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    return new Promise<T>((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        const error = new NodeTimeoutError(runId, nodeId, timeoutMs, this.made, policy.maxAttempts);
        reject(error);
        own.abort(error);
      });
      const limited = { ...context, signal: own.signal, context: untilAborted(context.context, own.signal) };
      code(limited)
        .then(resolve, reject)
        .finally(() => {
          cancel();
          signal.removeEventListener('abort', abort);
        });
    });
  }
}

type Method = (...args: unknown[]) => Promise<unknown>;
type AnyNodeClass = new (params: unknown, nodeId: string) => Record<string, unknown>;

/** As flowcraft has it: fatal errors and aborts are not tried again. */
function isNeverRetried(error: unknown): boolean {
  if (error instanceof DOMException && error.name === 'AbortError') return true;
  return error instanceof FlowcraftError && error.isFatal;
}

function untilAborted(context: IAsyncContext, signal: AbortSignal): IAsyncContext {
  return new Proxy(context, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        signal.throwIfAborted();
        return member.apply(target, args) as Promise<unknown>;
      };
    },
  });
}
