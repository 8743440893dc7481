import type { EdgeDefinition, NodeDefinition } from 'flowcraft';

/**
 * A `settled` join that a turn of a node may still lead to. Such a join waits until no open turn leads to it any more;
 * open turns are counted by the first `depth` of their passes, those of the loops that node and join share.
 */
export interface Lead {
  readonly join: string;
  readonly depth: number;
}

interface Vertex {
  readonly id: string;
  readonly definition: Readonly<NodeDefinition>;
  readonly join: string;
  readonly loops: readonly string[];
  readonly edges: readonly EdgeDefinition[];
}

/**
 * The `settled` joins that each node may lead to within one pass: over edges, through fallbacks, through the gather of a
 * batch, but not through the join itself nor through the controller of a loop around it. A join comes before those that
 * it leads to itself, so that whoever looks at them in this order sees what became ready on the way.
 */
export function leadsOf(nodes: readonly Vertex[]): ReadonlyMap<string, readonly Lead[]> {
  const joins = nodes.filter((node) => node.join === 'settled');
  if (joins.length === 0) return new Map();
  const before = predecessorsOf(nodes);
  const upstream = new Map(joins.map((join) => [join.id, reach(join, before)] as const));
  const rank = (join: Vertex) => joins.filter((other) => upstream.get(join.id)?.has(other.id)).length;
  const ordered = joins.map((join, i) => ({ join, rank: rank(join), i })).sort((a, b) => a.rank - b.rank || a.i - b.i);
  return new Map(
    nodes.map((node) => [
      node.id,
      ordered
        .filter(({ join }) => upstream.get(join.id)?.has(node.id))
        .map(({ join }) => ({ join: join.id, depth: sharedDepth(node.loops, join.loops) })),
    ]),
  );
}

export function sharedDepth(loops: readonly string[], others: readonly string[]): number {
  const at = loops.findIndex((loop, i) => loop !== others[i]);
  return at < 0 ? loops.length : at;
}

function reach(join: Vertex, before: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set<string>();
  for (const open = [join.id]; open.length > 0;) {
    for (const id of before.get(open.pop() ?? '') ?? []) {
      if (id === join.id || found.has(id) || join.loops.includes(id)) continue;
      found.add(id);
      open.push(id);
    }
  }
  return found;
}

function predecessorsOf(nodes: readonly Vertex[]): Map<string, string[]> {
  const before = new Map<string, string[]>(nodes.map((node) => [node.id, []]));
  for (const node of nodes) {
    const { fallback } = node.definition.config ?? {};
    const gather: unknown = node.definition.params?.['gatherNodeId'];
    const targets = node.edges.map((e) => e.target);
    for (const target of targets) before.get(target)?.push(node.id);
    if (typeof gather === 'string') before.get(gather)?.push(node.id);
    // a fallback leads to where the node leads that it stands in for, and so does the fallback of a fallback
    if (fallback === undefined) continue;
    before.get(fallback)?.push(node.id);
    for (const rescuer of rescuersOf(node, nodes)) for (const target of targets) before.get(target)?.push(rescuer);
  }
  return before;
}

function rescuersOf(node: Vertex, nodes: readonly Vertex[]): Set<string> {
  const found = new Set<string>();
  for (let next = node.definition.config?.fallback; next !== undefined && !found.has(next);) {
    found.add(next);
    next = nodes.find((n) => n.id === next)?.definition.config?.fallback;
  }
  return found;
}
