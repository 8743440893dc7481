import type { BlueprintPlan } from './plan.js';
import { turnOfPasses } from './turns.js';

/** A turn that asks for that of another node. `passes`: of the loops around its node, outermost first. */
export interface AskingTurn {
  readonly nodeId: string;
  readonly passes: readonly string[];
}

/**
 * The turn in which a node will execute, before it does; in a loop, that of the pass that the asking turn belongs to.
 * Undefined if only what happens until then decides it: for an `any` join, which has a turn for each arrival, for a loop
 * controller, and for a node in a loop that the asking turn is not in.
 */
export function turnAhead(plan: BlueprintPlan, nodeId: string, asking?: AskingTurn): string | undefined {
  const node = plan.nodes.get(nodeId);
  if (!node || node.join === 'any' || node.isController) return undefined;
  const loops = asking ? (plan.nodes.get(asking.nodeId)?.loops ?? []) : [];
  const passes: string[] = [];
  for (const loop of node.loops) {
    const at = loops.indexOf(loop);
    const pass = at < 0 ? undefined : asking?.passes[at];
    if (pass === undefined) return undefined;
    passes.push(pass);
  }
  return turnOfPasses(passes);
}
