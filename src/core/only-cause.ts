import type { BlueprintPlan } from './plan.js';

/**
 * Whether one turn alone can make a turn of this node ready, or all of several must: it has no outcome then before that
 * of each of them is recorded. Otherwise one of several may have made it ready before, in a ledger that went back since:
 * turns of an `any` join before it, predecessors of a `first` join, nodes that share a fallback.
 */
export function hasOnlyCause(plan: BlueprintPlan, nodeId: string): boolean {
  const node = plan.nodes.get(nodeId);
  // added to the run by one turn, or a turn for each arrival
  if (!node || node.join === 'any') return true;
  if (node.join === 'first' || node.rescues.length > 0) return false;
  return node.predecessors.every((id) => {
    const before = plan.nodes.get(id);
    return before?.join !== 'any' || before.isController;
  });
}
