import type { NodeContext, NodeResult } from 'flowcraft';
import { addMark } from './marks.js';

export const FLOW_NODE = Symbol('flowcraft-kafka:node');

/** What `@FlowNode` on a class with one method asks of it. */
export interface FlowNodeHandler {
  /**
   * Executes the node. `ctx.dependencies.turn` holds the idempotency key to give to other services: a node may be
   * executed more than once.
   */
  execute(ctx: NodeContext): Promise<NodeResult>;
}

/** Retries, their pauses and timeouts are no options: they belong in the `config` of the nodes in blueprints. */
export interface FlowNodeOptions {
  /** What the node does, for people: told in the log, at debug, when the application starts. */
  readonly description?: string;
}

export interface FlowNodeMark {
  readonly name: string;
  readonly options: FlowNodeOptions;
}

/**
 * Makes a provider (or a controller) the implementation of a node type: what `uses` of a blueprint's node names.
 *
 * - On a class with `execute(ctx)`: that method is the node.
 * - On a class with `exec(prepResult, ctx)`, such as one that extends flowcraft's BaseNode: its lifecycle methods prep,
 *   exec, post, fallback and recover are called as flowcraft does, on the one instance of the container. `this.params`
 *   and `this.nodeId` of a BaseNode are those of the node that executes.
 * - On a method: that method is the node, called with the context. A provider can have any number.
 *
 * The provider must be a singleton; two providers for one name are refused when the application starts, and so are
 * options that there are not.
 *
 * ```ts
 * @Injectable()
 * class Moderation {
 *   constructor(private readonly texts: TextService) {}
 *
 *   @FlowNode('check')
 *   async check({ input }: NodeContext): Promise<NodeResult> {
 *     return { output: await this.texts.check(input) };
 *   }
 * }
 * ```
 */
export function FlowNode(name: string, options: FlowNodeOptions = {}): ClassDecorator & MethodDecorator {
  const mark: FlowNodeMark = { name, options };
  return (target: object, member?: string | symbol) => addMark(FLOW_NODE, mark, target, member);
}
