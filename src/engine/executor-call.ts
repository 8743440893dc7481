import {
  FlowcraftError,
  type FlowcraftEvent,
  type NodeDefinition,
  type NodeExecutionResult,
  type WorkflowBlueprint,
} from 'flowcraft';
import type { ExecutionContext, FlowcraftRuntime } from './flowcraft-runtime.js';

export interface ExecutorCall {
  readonly within: ExecutionContext;
  readonly definition: NodeDefinition;
  /** @param alone the blueprint with this node only: flowcraft looks through all nodes that it is given for the one */
  readonly input: (alone: WorkflowBlueprint) => Promise<unknown>;
  /** What others hear in place of an event about the node; undefined: nothing. */
  readonly hear: (event: FlowcraftEvent) => FlowcraftEvent | undefined;
}

/**
 * flowcraft's executor primitive: the node's code with its attempts, middleware and events. Does not reject, and an
 * aroundNode hook that lets the failure of `next()` through does not hide the fallback.
 */
export async function callExecutor(
  { runtime }: FlowcraftRuntime,
  { within, definition, input, hear }: ExecutorCall,
): Promise<NodeExecutionResult> {
  const { id, config } = definition;
  let hasFallback = false;
  const { eventBus } = within.services;
  within.services.eventBus = {
    emit: (event) => {
      const isOwn = 'nodeId' in event.payload && event.payload.nodeId === id;
      if (isOwn && event.type === 'node:fallback') hasFallback = true;
      const heard = isOwn ? hear(event) : event;
      return heard ? eventBus.emit(heard) : Promise.resolve();
    },
  };
  try {
    const alone = { ...within.blueprint, nodes: [definition] };
    return await executorOf(runtime, within, alone, id).execute(await input(alone));
  } catch (error) {
    const fallbackNodeId = config?.fallback;
    if (hasFallback && fallbackNodeId !== undefined && isExecutionFailure(error, id))
      return { status: 'failed_with_fallback', fallbackNodeId, error: error as FlowcraftError };
    return { status: 'failed', error: error as FlowcraftError };
  }
}

/** flowcraft looks the node up in the blueprint of its context, which is that with this node only while it does. */
function executorOf(
  runtime: FlowcraftRuntime['runtime'],
  within: ExecutionContext,
  alone: WorkflowBlueprint,
  nodeId: string,
) {
  const { blueprint } = within;
  const own: { blueprint: WorkflowBlueprint } = within;
  own.blueprint = alone;
  try {
    return runtime.getExecutorForNode(nodeId, within) as {
      execute(input: unknown): Promise<NodeExecutionResult>;
    };
  } finally {
    own.blueprint = blueprint;
  }
}

function isExecutionFailure(error: unknown, nodeId: string): boolean {
  return error instanceof FlowcraftError && error.message === `Node '${nodeId}' execution failed`;
}
