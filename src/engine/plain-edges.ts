import type { NodeResult } from 'flowcraft';
import type { BlueprintPlan } from '../core/plan.js';
import type { EdgeDecision } from './edge-decision.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';
import type { RunContext } from './run-context.js';

/**
 * The edges out of most nodes bear no action, condition or transform: all of them are taken, and each target gets the
 * output. flowcraft comes to the same, but takes for it as long as for the node itself, so it is asked only where there is
 * something to decide.
 */
export function hasPlainEdges(plan: BlueprintPlan, nodeId: string, result: NodeResult): boolean {
  const node = plan.nodes.get(nodeId);
  if (!node || plan.edgesOfAdded.size > 0 || result.action || (result.dynamicNodes ?? []).length > 0) return false;
  return node.hasPlainEdges;
}

/** Of a node that `hasPlainEdges`: writes what flowcraft writes. */
export function takePlainEdges(
  { nodes }: BlueprintPlan,
  nodeId: string,
  { output }: NodeResult<unknown>,
  context: RunContext,
): EdgeDecision {
  const taken = nodes.get(nodeId)?.targets ?? [];
  context.put(`_outputs.${nodeId}`, output);
  context.put(nodeId, output);
  const inputs = new Map<string, { isOutput: boolean }>();
  for (const target of taken) {
    const key = `_inputs.${target}`;
    context.put(key, output);
    inputs.set(key, { isOutput: true });
  }
  return { taken, inputs };
}

/** Tells those who listen of the changes, in the words of flowcraft, which tells of a new input twice. */
export async function tellOfPlainEdges(
  { runtime }: FlowcraftRuntime,
  executionId: string,
  nodeId: string,
  { output }: NodeResult<unknown>,
  { inputs }: EdgeDecision,
): Promise<void> {
  const tell = (sourceNode: string, key: string) =>
    runtime.eventBus.emit({
      type: 'context:change',
      payload: { sourceNode, key, op: 'set', value: output, executionId },
    });
  for (const key of [`_outputs.${nodeId}`, nodeId]) await tell('unknown', key);
  for (const key of inputs.keys()) {
    await tell('unknown', key);
    await tell(nodeId, key);
  }
}
