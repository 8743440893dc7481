import type { NodeResult } from 'flowcraft';
import type { BlueprintPlan, PlanNode } from '../core/plan.js';
import type { ActiveRun } from './active-run.js';
import type { EdgeDecision } from './edge-decision.js';
import type { ExecutionContext, FlowcraftRuntime } from './flowcraft-runtime.js';
import type { RunContext } from './run-context.js';

const known = new WeakMap<PlanNode, boolean>();

/**
 * The edges out of most nodes bear no action, condition or transform: all of them are taken, and each target gets the
 * output. flowcraft comes to the same, but takes for it as long as for the node itself, so it is asked only where there is
 * something to decide.
 */
export function hasPlainEdges(plan: BlueprintPlan, nodeId: string, result: NodeResult): boolean {
  const node = plan.nodes.get(nodeId);
  if (!node || plan.edgesOfAdded.size > 0 || result.action || (result.dynamicNodes ?? []).length > 0) return false;
  let isPlain = known.get(node);
  if (isPlain === undefined) {
    const decidesNothing = node.edges.every((edge) => !edge.action && !edge.condition && edge.transform === undefined);
    // where no target exists, flowcraft finds no edge to take
    isPlain = decidesNothing && node.rescues.length === 0 && node.targets.length > 0;
    known.set(node, isPlain);
  }
  return isPlain;
}

/** Of a node that `hasPlainEdges`: writes what flowcraft writes, and says what it says to those who listen. */
export async function takePlainEdges(
  { runtime, isHeard }: FlowcraftRuntime,
  { plan, executionId }: ActiveRun,
  nodeId: string,
  { output }: NodeResult<unknown>,
  { state }: ExecutionContext,
  context: RunContext,
): Promise<EdgeDecision> {
  const taken = plan.nodes.get(nodeId)?.targets ?? [];
  // flowcraft's own view of the context tells of each change
  const seen = isHeard ? state.getContext() : context;
  await seen.set(`_outputs.${nodeId}`, output);
  await seen.set(nodeId, output);
  const inputs = new Map<string, { isOutput: boolean }>();
  for (const target of taken) {
    const key = `_inputs.${target}`;
    await seen.set(key, output);
    inputs.set(key, { isOutput: true });
    if (!isHeard) continue;
    const payload = { sourceNode: nodeId, key, op: 'set' as const, value: output, executionId };
    await runtime.eventBus.emit({ type: 'context:change', payload });
  }
  return { taken, inputs };
}
