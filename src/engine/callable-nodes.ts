import { BatchGatherNode, BatchScatterNode, SleepNode, SubflowNode } from 'flowcraft';
import type { BlueprintPlan } from '../core/plan.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';

const WHY = new Map<unknown, string>([
  [SleepNode, 'it waits for a time, not for a call.'],
  [
    SubflowNode,
    'it waits for its subflow, not for a call. Ask for a URL of the node that waits in there: getRun() names the run as childRunId.',
  ],
  [BatchScatterNode, 'it gives out the items of a batch, and waits for no call.'],
  [BatchGatherNode, 'it waits for the items of a batch, not for a call.'],
]);

/**
 * Why no call can ever answer a node, by its type; undefined if one may. That holds for every node that the application
 * brings: only when its code has run it is known whether it waits.
 */
export function neverAnswered(
  { nodes }: BlueprintPlan,
  nodeId: string,
  { runtime }: Pick<FlowcraftRuntime, 'runtime'>,
): string | undefined {
  const node = nodes.get(nodeId);
  if (!node) return undefined;
  if (node.isController) return 'it decides whether a loop goes on, and waits for no call.';
  return WHY.get(runtime.registry.get(node.definition.uses));
}
