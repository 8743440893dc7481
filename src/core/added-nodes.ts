import { sharedDepth } from './leads.js';
import { rescuedBy, type BlueprintPlan, type PlanNode } from './plan.js';
import type { PassRef } from './settlement.js';

/** Of a node that settles, what the nodes that it leads to need to know. */
export type Source = Pick<PlanNode, 'id' | 'join' | 'loops' | 'edges' | 'targets' | 'rescues' | 'fallback'>;

/**
 * A node that was added at run time, as far as the blueprint says something of it: edges may name it, and nodes may name
 * it as their fallback. It belongs to the loops of the node that added it.
 */
export function addedNode(plan: BlueprintPlan, id: string, creator: PlanNode | undefined): Source {
  const edges = plan.edgesOfAdded.get(id) ?? [];
  const targets = [...new Set(edges.map((e) => e.target))].filter((target) => plan.nodes.has(target));
  const rescues = rescuedBy(id, plan.blueprint.nodes);
  return { id, join: 'all', loops: creator?.loops ?? [], edges, targets, rescues, fallback: undefined };
}

/** The passes in which a node that was added by one within these loops has completed, as this target sees it. */
export function sharedPasses(
  loops: readonly string[],
  target: PlanNode,
  known: ReadonlyMap<string, string | null>,
): PassRef[] {
  return target.loops
    .slice(0, sharedDepth(loops, target.loops))
    .map((loop) => [loop, known.get(loop) ?? null] as const);
}
