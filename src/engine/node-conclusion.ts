import type { NodeContext, NodeDefinition, NodeResult } from 'flowcraft';
import type { ActiveRun } from './active-run.js';
import { callExecutor } from './executor-call.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';
import { executionOf, withNode, type Execution } from './node-execution.js';
import type { WaitingNode } from './turn-executor.js';

/**
 * The second half of a node whose code ended with the start of another run: what that run came to, as middleware and
 * event bus are told of the outcome of a node. They were told of its begin when it began.
 * @param outcome gives the node's result, or throws its error
 */
export async function concludeNode(
  flowcraft: FlowcraftRuntime,
  run: ActiveRun,
  { definition, context }: WaitingNode,
  outcome: (context: NodeContext) => Promise<NodeResult>,
): Promise<Execution> {
  const once: NodeDefinition = { ...definition, config: { ...definition.config, maxRetries: 1 } };
  const signal = new AbortController().signal;
  const blueprint = withNode(run.plan.blueprint, once);
  const within = flowcraft.executionContext(blueprint, context, run.executionId, signal, {
    uses: definition.uses,
    wrap: () => async (given: NodeContext) => outcome(given),
  });
  within.services.middleware = within.services.middleware.map(({ aroundNode, afterNode }) => ({
    ...(aroundNode ? { aroundNode } : {}),
    ...(afterNode ? { afterNode } : {}),
  }));
  const hear = (event: Parameters<typeof within.services.eventBus.emit>[0]) =>
    event.type === 'node:start' ? undefined : event;
  return executionOf(await callExecutor(flowcraft, { within, definition: once, input: async () => undefined, hear }));
}
