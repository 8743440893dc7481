import { FlowcraftError, type FlowcraftEvent, type NodeDefinition, type NodeExecutionResult } from 'flowcraft';
import type { ExecutionContext, FlowcraftRuntime } from './flowcraft-runtime.js';

export interface ExecutorCall {
  readonly within: ExecutionContext;
  readonly definition: NodeDefinition;
  readonly input: () => Promise<unknown>;
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
    return await executorOf(runtime, within, definition).execute(await input());
  } catch (error) {
    const fallbackNodeId = config?.fallback;
    if (hasFallback && fallbackNodeId !== undefined && isExecutionFailure(error, id))
      return { status: 'failed_with_fallback', fallbackNodeId, error: error as FlowcraftError };
    return { status: 'failed', error: error as FlowcraftError };
  }
}

/** flowcraft looks through all nodes of the blueprint: while it does, there is this one only, however many a run has. */
function executorOf(runtime: FlowcraftRuntime['runtime'], within: ExecutionContext, definition: NodeDefinition) {
  const { blueprint } = within;
  const own: { blueprint: typeof blueprint } = within;
  own.blueprint = { ...blueprint, nodes: [definition] };
  try {
    return runtime.getExecutorForNode(definition.id, within) as {
      execute(input: unknown): Promise<NodeExecutionResult>;
    };
  } finally {
    own.blueprint = blueprint;
  }
}

function isExecutionFailure(error: unknown, nodeId: string): boolean {
  return error instanceof FlowcraftError && error.message === `Node '${nodeId}' execution failed`;
}
