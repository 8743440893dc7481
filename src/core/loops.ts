import type { WorkflowBlueprint } from 'flowcraft';
import { BlueprintInvalidError } from './errors.js';

/**
 * The nodes that run again at each pass of a loop: everything reachable from the controller's `continue` target without
 * passing another controller, as flowcraft's traverser has it, with two repairs of its outright faults: the controller
 * of a loop nested in this one is passed through (flowcraft ends nested loops in the second outer pass), and a node's
 * fallback belongs to the loop of the node (flowcraft runs it in the first pass only).
 * @throws BlueprintInvalidError if the controller has no `continue` edge.
 */
export function bodyOf(controller: string, blueprint: WorkflowBlueprint, startNodeIds: readonly string[]): Set<string> {
  const first = blueprint.edges.find((e) => e.source === controller && e.action === 'continue')?.target;
  if (first === undefined) {
    throw new BlueprintInvalidError(
      blueprint.id,
      `Loop '${controller}' has no continue edge to start node. Ensure edges are wired inside the loop and incoming/breaking edges point to the loop controller.`,
      { nodeId: controller },
    );
  }
  const successors = successorsOf(blueprint);
  const controllers = new Set(blueprint.nodes.filter((n) => n.uses === 'loop-controller').map((n) => n.id));
  const isNested = (other: string) =>
    other !== controller &&
    reachable([other], successors).has(controller) &&
    !reachable(startNodeIds, successors, controller).has(other);
  const body = new Set([first]);
  for (const open = [first]; open.length > 0;) {
    for (const next of successors.get(open.pop() ?? '') ?? []) {
      if (body.has(next) || (controllers.has(next) && !isNested(next))) continue;
      body.add(next);
      open.push(next);
    }
  }
  body.delete(controller);
  return body;
}

/** The controllers whose body holds the node, outermost first. */
export function loopsAround(nodeId: string, bodies: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const around = [...bodies].filter(([, body]) => body.has(nodeId)).map(([id]) => id);
  const depth = (id: string) => around.filter((other) => bodies.get(other)?.has(id)).length;
  return around.sort((a, b) => depth(a) - depth(b) || (a < b ? -1 : 1));
}

function successorsOf(blueprint: WorkflowBlueprint): Map<string, string[]> {
  const successors = new Map<string, string[]>(blueprint.nodes.map((n) => [n.id, []]));
  for (const edge of blueprint.edges) if (successors.has(edge.target)) successors.get(edge.source)?.push(edge.target);
  for (const node of blueprint.nodes) {
    const fallback = node.config?.fallback;
    if (fallback !== undefined && successors.has(fallback)) successors.get(node.id)?.push(fallback);
  }
  return successors;
}

function reachable(
  from: readonly string[],
  successors: ReadonlyMap<string, readonly string[]>,
  without?: string,
): Set<string> {
  const seen = new Set(from.filter((id) => id !== without));
  for (const open = [...seen]; open.length > 0;) {
    for (const next of successors.get(open.pop() ?? '') ?? []) {
      if (next === without || seen.has(next)) continue;
      seen.add(next);
      open.push(next);
    }
  }
  return seen;
}

/** What makes a node run again and again, in words; undefined if nothing in the blueprint does. */
export function repetitionAt(nodeId: string, plan: Repeating): string | undefined {
  const node = plan.nodes.get(nodeId);
  const controller = node?.isController ? nodeId : node?.loops.at(-1);
  if (controller !== undefined) return `loop '${controller}'`;
  const cycle = plan.cycles.find((ids) => ids.includes(nodeId));
  return cycle && `the cycle of ${[...new Set(cycle)].map((id) => `'${id}'`).join(', ')}`;
}

interface Repeating {
  readonly nodes: ReadonlyMap<string, { readonly isController: boolean; readonly loops: readonly string[] }>;
  readonly cycles: readonly (readonly string[])[];
}
