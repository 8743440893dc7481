import type { EdgeDefinition, NodeDefinition, NodeResult, WorkflowBlueprint } from 'flowcraft';
import { overrideKey } from '../core/context-view.js';
import type { PlanNode } from '../core/plan.js';
import type { ActiveRun } from './active-run.js';
import type { ExecutionContext, FlowcraftRuntime } from './flowcraft-runtime.js';
import { EngineValue, type RunContext } from './run-context.js';

export interface EdgeDecision {
  /** Targets to which an edge was taken. */
  readonly taken: readonly string[];
  /** The keys `_inputs.<target>` that were written, and whether the value is the bare output. */
  readonly inputs: ReadonlyMap<string, { readonly isOutput: boolean }>;
}

/**
 * Chooses the edges out of a completed node with flowcraft's own functions, on a view of the blueprint that is private
 * to this decision (they change node definitions) and holds only what the decision needs.
 */
export async function decideEdges(
  flowcraft: FlowcraftRuntime,
  run: ActiveRun,
  node: PlanNode,
  result: NodeResult | undefined,
  execution: ExecutionContext,
  context: RunContext,
): Promise<EdgeDecision> {
  const { runtime } = flowcraft;
  const view = viewAround(run, node);
  const state = execution.state.getContext();
  const matched = await runtime.determineNextNodes(view, node.id, result as NodeResult, state, run.executionId);
  if (matched.length === 0) return { taken: takenWithoutMatch(run, node, result), inputs: new Map() };
  const inputs = new Map<string, { isOutput: boolean }>();
  const predecessors = new Map(matched.map(({ node: t }) => [t.id, new Set(run.plan.nodes.get(t.id)?.predecessors)]));
  for (const { node: target, edge } of matched) {
    await showEarlierEdges(run, target, edge, context);
    const declared = run.plan.nodes.get(target.id)?.definition.inputs;
    await runtime.applyEdgeTransform(edge, result as NodeResult, target, state, predecessors, run.executionId);
    if (edge.transform !== undefined && declared !== undefined)
      await context.set(overrideKey(target.id), new EngineValue(true));
    inputs.set(`_inputs.${target.id}`, { isOutput: edge.transform === undefined });
  }
  return { taken: [...new Set(matched.map(({ node: t }) => t.id))], inputs };
}

function viewAround(run: ActiveRun, node: PlanNode): WorkflowBlueprint {
  const { plan } = run;
  const inherited = node.rescues.flatMap((id) => plan.nodes.get(id)?.edges ?? []);
  const edges = [...node.edges, ...inherited];
  const nodes = new Map<string, NodeDefinition>();
  for (const id of [node.id, ...node.rescues, ...edges.map((e) => e.target)]) {
    const definition = plan.nodes.get(id)?.definition;
    if (definition) nodes.set(id, { ...definition });
  }
  // A fallback inherits the edges of all that it stands in for, also of those whose fallback it is the fallback of.
  for (const id of node.rescues) {
    const rescued = nodes.get(id);
    if (rescued) rescued.config = { ...rescued.config, fallback: node.id };
  }
  return {
    id: plan.id,
    nodes: [...nodes.values()],
    edges,
    ...(plan.blueprint.metadata ? { metadata: plan.blueprint.metadata } : {}),
  };
}

/**
 * flowcraft starts every successor without a conditional edge when no edge matched. That is copied where it is what
 * happens in-process, except after an action that no edge bears: nothing follows then, as documented.
 */
function takenWithoutMatch(run: ActiveRun, node: PlanNode, result: NodeResult | undefined): string[] {
  const action = result?.action;
  if (action && node.edges.length > 0 && !node.edges.some((e) => e.action === action)) return [];
  return node.targets.filter((id) => run.plan.nodes.get(id)?.hasConditionalEntry === false);
}

/**
 * A second edge with a transform works on the result of the edge before it: flowcraft keeps that in the definition of
 * the target, here it is in the stored inputs.
 */
async function showEarlierEdges(
  run: ActiveRun,
  target: NodeDefinition,
  edge: EdgeDefinition,
  context: RunContext,
): Promise<void> {
  if (edge.transform === undefined) return;
  const key = `_inputs.${target.id}`;
  const plan = run.plan.nodes.get(target.id);
  if (plan?.definition.inputs === undefined) {
    if (!run.base.has(key) && (await context.has(key))) target.inputs = key;
  } else if (await context.has(overrideKey(target.id))) {
    target.inputs = key;
  }
}
