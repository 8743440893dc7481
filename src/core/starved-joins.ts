import type { EdgeDefinition } from 'flowcraft';
import type { BlueprintPlan, PlanNode } from './plan.js';

/**
 * The `all` joins that untaken branches can starve: their predecessors hang on different choices, so that one of them
 * may run while another never does. Branches of one and the same choice run together, so a join of those is fine.
 */
export function starvedJoins(plan: BlueprintPlan): string[] {
  const choices = new Choices(plan);
  return [...plan.nodes.values()]
    .filter((node) => node.join === 'all' && node.predecessors.length > 1)
    .filter((node) => {
      const sets = entriesOf(plan, node).map((entry) => choices.before(entry));
      return sets.some((set) => !sameSet(set, sets[0] ?? NONE));
    })
    .map((node) => node.id);
}

interface Entry {
  readonly source: PlanNode;
  readonly target: string;
  readonly edges: readonly EdgeDefinition[];
}

const NONE: ReadonlySet<string> = new Set();

/** What has to be chosen for a node to run, each choice named by the node that makes it and where it leads. */
class Choices {
  private readonly known = new Map<string, ReadonlySet<string> | undefined>();

  constructor(private readonly plan: BlueprintPlan) {}

  /** Of a way into a join: its source alone counts, whether it takes the way or not. */
  before({ source }: Entry): ReadonlySet<string> {
    return this.of(source) ?? NONE;
  }

  /** Undefined while it is being worked out: a way back into a cycle tells nothing new. */
  private of(node: PlanNode): ReadonlySet<string> | undefined {
    if (this.known.has(node.id)) return this.known.get(node.id);
    this.known.set(node.id, undefined);
    const ways = entriesOf(this.plan, node).flatMap((entry) => {
      const above = this.of(entry.source);
      if (!above) return [];
      return [isChoice(entry) ? new Set([...above, `${entry.source.id}>${entry.target}`]) : above];
    });
    const rescued = node.rescues.flatMap((id) => this.plan.nodes.get(id) ?? []).map((other) => this.of(other) ?? NONE);
    const all = [...ways, ...rescued];
    // `all` needs every way in; of the others any will do, so only what all ways have in common is needed
    const found = node.join === 'all' && rescued.length === 0 ? union(all) : intersection(all);
    this.known.set(node.id, found);
    return found;
  }
}

function entriesOf(plan: BlueprintPlan, node: PlanNode): Entry[] {
  return node.predecessors.flatMap((id): Entry[] => {
    const source = plan.nodes.get(id);
    return source ? [{ source, target: node.id, edges: source.edges.filter((e) => e.target === node.id) }] : [];
  });
}

/** A controller always leaves its loop; every other edge with a condition or an action may stay untaken, and so may the one beside an action. */
function isChoice({ source, edges }: Entry): boolean {
  if (source.isController) return false;
  const hasActions = source.edges.some((e) => e.action !== undefined);
  return edges.every((e) => (e.condition ?? '') !== '' || e.action !== undefined || hasActions);
}

function union(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  return new Set(sets.flatMap((set) => [...set]));
}

function intersection(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  const [first = NONE, ...others] = sets;
  return new Set([...first].filter((choice) => others.every((set) => set.has(choice))));
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
