import type { EdgeDefinition, NodeDefinition, NodeResult, WorkflowBlueprint } from 'flowcraft';
import { overrideKey } from '../core/context-view.js';
import type { ActiveRun } from './active-run.js';
import type { Deciding } from './added-nodes.js';
import type { ExecutionContext, FlowcraftRuntime } from './flowcraft-runtime.js';
import { EngineValue, type RunContext } from './run-context.js';

export interface EdgeDecision {
  /** Targets to which an edge was taken. */
  readonly taken: readonly string[];
  /** The keys `_inputs.<target>` that were written, and whether the value is the bare output. */
  readonly inputs: ReadonlyMap<string, { readonly isOutput: boolean }>;
  /** The nodes that the node adds to the run, if an edge leads to one of them: with the input that it hands on. */
  readonly dynamicNodes?: readonly NodeDefinition[];
  /** Nodes that were added to the run for which this one stands in. */
  readonly rescuedAdded?: readonly string[];
}

export const NO_EDGES: EdgeDecision = { taken: [], inputs: new Map() };

/**
 * Chooses the edges out of a completed node with flowcraft's own functions, on a view of the blueprint that is private
 * to this decision (they change node definitions) and holds only what the decision needs.
 * @param gather the node that waits for this one, if this one was added to the run
 */
export async function decideEdges(
  flowcraft: FlowcraftRuntime,
  run: ActiveRun,
  node: Deciding,
  result: NodeResult | undefined,
  execution: ExecutionContext,
  context: RunContext,
  gather?: string,
): Promise<EdgeDecision> {
  const { runtime } = flowcraft;
  const { plan, executionId } = run;
  const adding = new Map((result?.dynamicNodes ?? []).map((added) => [added.id, added]));
  const view = viewAround(run, node, adding);
  if (view.edges.length === 0) return NO_EDGES;
  const state = execution.state.getContext();
  const decisions = flowcraft.decisions(executionId);
  const matched = await decisions.determineNextNodes(view, node.id, result as NodeResult, state, executionId);
  const rescued = node.rescuedAdded.length > 0 ? { rescuedAdded: node.rescuedAdded } : {};
  if (matched.length === 0)
    return { taken: takenWithoutMatch(run, node, result, gather), inputs: new Map(), ...rescued };
  const inputs = new Map<string, { isOutput: boolean }>();
  const predecessors = new Map(matched.map(({ node: t }) => [t.id, new Set(plan.nodes.get(t.id)?.predecessors)]));
  for (const { node: target, edge } of matched) {
    await showEarlierEdges(run, target, edge, context);
    const declared = (plan.nodes.get(target.id)?.definition ?? adding.get(target.id))?.inputs;
    await runtime.applyEdgeTransform(edge, result as NodeResult, target, state, predecessors, executionId);
    if (!plan.nodes.has(target.id)) adding.set(target.id, { ...target });
    else if (edge.transform !== undefined && declared !== undefined)
      await context.set(overrideKey(target.id), new EngineValue(true));
    inputs.set(`_inputs.${target.id}`, { isOutput: edge.transform === undefined });
  }
  const taken = new Set(matched.map(({ node: t }) => t.id).filter((id) => plan.nodes.has(id)));
  const dynamicNodes = result?.dynamicNodes?.map((added) => adding.get(added.id) ?? added);
  return { taken: [...taken], inputs, ...rescued, ...(dynamicNodes ? { dynamicNodes } : {}) };
}

/** @param adding nodes that the node has added to the run; of others that were added, it cannot know */
function viewAround(
  { plan }: ActiveRun,
  node: Deciding,
  adding: ReadonlyMap<string, NodeDefinition>,
): WorkflowBlueprint {
  const inherited = [
    ...node.rescues.flatMap((id) => plan.nodes.get(id)?.edges ?? []),
    ...node.rescuedAdded.flatMap((id) => plan.edgesOfAdded.get(id) ?? []),
  ];
  const edges = [...node.edges, ...inherited];
  const nodes = new Map<string, NodeDefinition>([[node.id, { ...node.definition }]]);
  for (const id of [...node.rescues, ...edges.map((e) => e.target)]) {
    const definition = plan.nodes.get(id)?.definition ?? adding.get(id);
    if (definition && id !== node.id) nodes.set(id, { ...definition });
  }
  for (const id of node.rescuedAdded) nodes.set(id, { id, uses: '' });
  // A fallback inherits the edges of all that it stands in for, also of those whose fallback it is the fallback of.
  for (const id of [...node.rescues, ...node.rescuedAdded]) {
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
function takenWithoutMatch(
  { plan }: ActiveRun,
  node: Deciding,
  result: NodeResult | undefined,
  gather: string | undefined,
): string[] {
  const action = result?.action;
  const isUnknown = action && node.edges.length > 0 && !node.edges.some((e) => e.action === action);
  const targets = [...(isUnknown ? [] : node.targets), ...(gather === undefined ? [] : [gather])];
  return [...new Set(targets)].filter((id) => plan.nodes.get(id)?.hasConditionalEntry === false);
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
