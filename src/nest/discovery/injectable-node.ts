import { AsyncLocalStorage } from 'node:async_hooks';
import { BaseNode, type NodeContext, type NodeFunction, type NodeImplementation, type NodeResult } from 'flowcraft';

type Method = (...args: unknown[]) => unknown;
type ExecResult = Omit<NodeResult, 'error'>;
type Lifecycle = Partial<Record<'prep' | 'exec' | 'post' | 'fallback' | 'recover', Method>>;

/** The node in whose name a shared instance is called. */
interface Execution {
  readonly params: Record<string, unknown> | undefined;
  readonly nodeId: string | undefined;
}

const executing = new AsyncLocalStorage<Execution>();

export function hasMethod(instance: object, name: string | symbol): boolean {
  return typeof (instance as Record<string | symbol, unknown>)[name] === 'function';
}

/** The method, found again at each call, so that a spy on it is called too. */
export function methodNode(instance: object, name: string | symbol): NodeFunction {
  const methods = instance as Record<string | symbol, (ctx: NodeContext) => Promise<NodeResult>>;
  // flowcraft takes a function for a class by its prototype; an arrow function has none
  return async (ctx) => (methods[name] as (ctx: NodeContext) => Promise<NodeResult>).call(instance, ctx);
}

/**
 * flowcraft makes a new object of a node class for each execution; here each of these passes the calls on to the one
 * instance of the container.
 */
export function lifecycleNode(instance: object): NodeImplementation {
  const shared = instance as Lifecycle;
  if (instance instanceof BaseNode) followExecution(instance);
  return class extends BaseNode {
    override prep(ctx: NodeContext): Promise<unknown> {
      return shared.prep ? this.call(shared.prep, ctx) : super.prep(ctx);
    }

    override exec(prepared: unknown, ctx: NodeContext): Promise<ExecResult> {
      return this.call(shared.exec, prepared, ctx);
    }

    override post(result: ExecResult, ctx: NodeContext): Promise<NodeResult> {
      return shared.post ? this.call(shared.post, result, ctx) : super.post(result, ctx);
    }

    override fallback(error: Error, ctx: NodeContext): Promise<ExecResult> {
      return shared.fallback ? this.call(shared.fallback, error, ctx) : super.fallback(error, ctx);
    }

    override recover(error: Error, ctx: NodeContext): Promise<void> {
      return shared.recover ? this.call(shared.recover, error, ctx) : super.recover(error, ctx);
    }

    private async call<T>(method: Method | undefined, ...args: unknown[]): Promise<T> {
      const { params, nodeId } = this;
      return executing.run({ params, nodeId }, async () => (await method?.apply(instance, args)) as T);
    }
  };
}

/** Makes `this.params` and `this.nodeId` those of the execution in which they are read. */
function followExecution(instance: object): void {
  if (!Object.isExtensible(instance)) return;
  for (const name of ['params', 'nodeId'] as const) {
    let own: unknown = (instance as Record<string, unknown>)[name];
    Object.defineProperty(instance, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        const execution = executing.getStore();
        return execution ? execution[name] : own;
      },
      set: (value: unknown) => (own = value),
    });
  }
}
