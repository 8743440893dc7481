import { createHash } from 'node:crypto';
import {
  analyzeBlueprint,
  sanitizeBlueprint,
  type EdgeDefinition,
  type NodeDefinition,
  type WorkflowBlueprint,
} from 'flowcraft';
import { isTextDeeperThan } from './depth.js';
import { BlueprintInvalidError } from './errors.js';
import { flawOf } from './flaws.js';
import { giversIn } from './given-values.js';
import { groupBy } from './group-by.js';
import { isRefusedKey, nodeIdProblem } from './identifiers.js';
import { leadsOf, type Lead } from './leads.js';
import { PASS_SEP } from './ledger-fields.js';
import { bodyOf, loopsAround } from './loops.js';

/** `settled` and `first` are extensions of this package; flowcraft knows `all` and `any`. */
export type JoinStrategy = 'all' | 'any' | 'first' | 'settled';

/** One vertex of a blueprint with everything that its settling needs to know. */
export interface PlanNode {
  readonly id: string;
  readonly definition: Readonly<NodeDefinition>;
  readonly join: JoinStrategy;
  readonly isController: boolean;
  /** Controllers of the loops around this node, outermost first. */
  readonly loops: readonly string[];
  /** For a controller: the nodes that run again at each pass. */
  readonly body: ReadonlySet<string>;
  /** Distinct sources of the edges into this node; may name nodes that do not exist. */
  readonly predecessors: readonly string[];
  /** The loops around each kind of predecessor: arrivals of different kinds are counted apart. */
  readonly predecessorLoops: readonly (readonly string[])[];
  /** Distinct existing targets of this node's own edges. */
  readonly targets: readonly string[];
  readonly edges: readonly EdgeDefinition[];
  readonly fallback: string | undefined;
  /** The nodes that this one stands in for when they fail, directly or as the fallback of their fallback. */
  readonly rescues: readonly string[];
  /** Some of its edges lead somewhere, none of them decides anything, and it inherits none from a node that it stands in for. */
  readonly hasPlainEdges: boolean;
  readonly hasConditionalEntry: boolean;
  /** The `settled` joins that this node may lead to. */
  readonly leads: readonly Lead[];
}

/** What is computed once for each version of a blueprint. Immutable. */
export interface BlueprintPlan {
  readonly id: string;
  readonly version: string | null;
  /** SHA-256 over the sanitized blueprint: equal content, equal hash. */
  readonly hash: string;
  readonly blueprint: Readonly<WorkflowBlueprint>;
  readonly nodes: ReadonlyMap<string, PlanNode>;
  /** By source, the edges from nodes that are none of the blueprint: they may be added to a run. */
  readonly edgesOfAdded: ReadonlyMap<string, readonly EdgeDefinition[]>;
  /** By context key, the node that gives its output to it: see given-values.ts. */
  readonly givers: ReadonlyMap<string, string>;
  readonly startNodeIds: readonly string[];
  readonly terminalNodeIds: readonly string[];
  /** Distinct ids of the blueprints that its `subflow` nodes start. */
  readonly subflows: readonly string[];
  readonly isDag: boolean;
  /** The cycles of the graph, each as the nodes that it goes through. */
  readonly cycles: readonly (readonly string[])[];
}

/** Deeper parameters are no parameters that anybody wrote. */
const MAX_DEPTH = 200;

function isPlain({ action, condition, transform }: EdgeDefinition): boolean {
  return !action && !condition && transform === undefined;
}

/**
 * Computes the plan of a blueprint.
 * @param maxNodes a blueprint with more nodes is refused
 * @throws BlueprintInvalidError if it has too many nodes or is no JSON data, if a node id can't be one or occurs twice,
 * or a loop has no `continue` edge
 */
export function planBlueprint(raw: WorkflowBlueprint, maxNodes = Infinity): BlueprintPlan {
  const blueprint = deepFreeze(copyOf(raw));
  if (blueprint.nodes.length > maxNodes) {
    throw new BlueprintInvalidError(
      blueprint.id,
      `Blueprint '${blueprint.id}' has ${blueprint.nodes.length} nodes, more than limits.maxBlueprintNodes (${maxNodes}). Divide it into subflows, or raise the limit.`,
    );
  }
  const ids = new Set<string>();
  for (const node of blueprint.nodes) {
    const problem = nodeProblem(node);
    if (problem !== undefined)
      throw new BlueprintInvalidError(blueprint.id, `A node of blueprint '${blueprint.id}' ${problem}.`);
    if (ids.has(node.id)) {
      throw new BlueprintInvalidError(blueprint.id, `Blueprint '${blueprint.id}' has two nodes '${node.id}'.`);
    }
    ids.add(node.id);
  }
  const analysis = analyzeBlueprint(blueprint);
  const startNodeIds = startNodes(blueprint, analysis.startNodeIds, analysis.cycles);
  const bodies = new Map<string, ReadonlySet<string>>();
  for (const node of blueprint.nodes) {
    if (node.uses === 'loop-controller') bodies.set(node.id, bodyOf(node.id, blueprint, startNodeIds));
  }
  const vertices: Omit<PlanNode, 'leads' | 'predecessorLoops'>[] = [];
  const incoming = groupBy(blueprint.edges, (e) => e.target);
  const outgoing = groupBy(blueprint.edges, (e) => e.source);
  for (const definition of blueprint.nodes) {
    const { id } = definition;
    const into = incoming.get(id) ?? [];
    const edges = outgoing.get(id) ?? [];
    const targets = distinct(edges.map((e) => e.target)).filter((target) => ids.has(target));
    const rescues = rescuedBy(id, blueprint.nodes);
    vertices.push({
      id,
      definition,
      join: joinStrategyOf(definition),
      isController: bodies.has(id),
      loops: loopsAround(id, bodies),
      body: bodies.get(id) ?? EMPTY,
      predecessors: distinct(into.map((e) => e.source)),
      targets,
      edges,
      fallback: definition.config?.fallback,
      rescues,
      hasPlainEdges: targets.length > 0 && rescues.length === 0 && edges.every(isPlain),
      hasConditionalEntry: into.some((e) => e.condition !== undefined && e.condition !== ''),
    });
  }
  const leads = leadsOf(vertices);
  const loopsOf = new Map(vertices.map(({ id, loops }) => [id, loops]));
  const nodes = new Map<string, PlanNode>();
  for (const node of vertices) {
    const predecessorLoops = kindsOf(node, loopsOf);
    nodes.set(node.id, { ...node, predecessorLoops, leads: leads.get(node.id) ?? [] });
  }
  return {
    id: blueprint.id,
    version: blueprint.metadata?.version ?? null,
    hash: createHash('sha256').update(stableJson(blueprint)).digest('hex'),
    blueprint,
    nodes,
    edgesOfAdded: new Map([...outgoing].filter(([source]) => !ids.has(source))),
    givers: giversIn(nodes, analysis.isDag),
    startNodeIds,
    terminalNodeIds: analysis.terminalNodeIds,
    subflows: distinct(blueprint.nodes.flatMap((node) => subflowOf(node) ?? [])),
    isDag: analysis.isDag,
    cycles: analysis.cycles,
  };
}

const EMPTY: ReadonlySet<string> = new Set();

/** Why this cannot be a node, as in "has no id"; undefined if it can. */
export function nodeProblem({ id, uses, inputs }: NodeDefinition): string | undefined {
  const problem = nodeIdProblem(id);
  if (problem !== undefined) return problem;
  if (typeof uses !== 'string' || uses === '') return `has no 'uses' (node '${id}')`;
  // the input of the node would get another prototype
  const refused = typeof inputs === 'object' && inputs !== null ? Object.keys(inputs).find(isRefusedKey) : undefined;
  return refused === undefined ? undefined : `has the input '${refused}', which could change prototypes (node '${id}')`;
}

/** The blueprint that a node starts, if it is a `subflow`. */
export function subflowOf({ uses, params }: Pick<NodeDefinition, 'uses' | 'params'>): string | undefined {
  const blueprintId: unknown = uses === 'subflow' ? params?.['blueprintId'] : undefined;
  return typeof blueprintId === 'string' ? blueprintId : undefined;
}

function copyOf(raw: WorkflowBlueprint): WorkflowBlueprint {
  let part: unknown = raw;
  const refuse = (cause?: unknown) => {
    const { path, why } = flawOf(part, MAX_DEPTH) ?? { path: '', why: 'is not' };
    const it = path === '' ? 'it' : `its '${path}'`;
    return new BlueprintInvalidError(raw.id, `Blueprint '${raw.id}' is no JSON data: ${it} ${why}.`, { cause });
  };
  let text: string;
  try {
    part = sanitizeBlueprint(raw);
    text = JSON.stringify(part);
  } catch (cause) {
    throw refuse(cause);
  }
  if (isTextDeeperThan(text, MAX_DEPTH)) throw refuse();
  return JSON.parse(text) as WorkflowBlueprint;
}

function kindsOf(
  { predecessors, loops }: Pick<PlanNode, 'predecessors' | 'loops'>,
  loopsOf: ReadonlyMap<string, readonly string[]>,
): (readonly string[])[] {
  const kinds = new Map<string, readonly string[]>();
  const add = (kind: readonly string[]) => kinds.set(kind.join(PASS_SEP), kind);
  for (const id of predecessors) {
    const around = loopsOf.get(id);
    if (around) add(around);
    // who adds it is not known: one within any of the loops around the node, or outside of them
    else for (let depth = 0; depth <= loops.length; depth++) add(loops.slice(0, depth));
  }
  return [...kinds.values()];
}

/** As flowcraft's traverser: no fallback starts by itself; a graph of cycles only begins at its declared entry points. */
function startNodes(
  blueprint: WorkflowBlueprint,
  withoutEntry: readonly string[],
  cycles: readonly string[][],
): string[] {
  const fallbacks = new Set(blueprint.nodes.map((n) => n.config?.fallback));
  const starts = withoutEntry.filter((id) => !fallbacks.has(id));
  if (starts.length > 0) return starts;
  const declared = new Set(blueprint.metadata?.cycleEntryPoints ?? []);
  const entries = cycles.map((cycle) => cycle.find((id) => declared.has(id)) ?? cycle[0]);
  return distinct(entries.filter((id) => id !== undefined));
}

function joinStrategyOf(definition: NodeDefinition): JoinStrategy {
  const strategy: string | undefined = definition.config?.joinStrategy;
  return strategy === 'any' || strategy === 'first' || strategy === 'settled' ? strategy : 'all';
}

/** The nodes that this one stands in for, directly or as the fallback of their fallback. */
export function rescuedBy(id: string, nodes: readonly NodeDefinition[]): string[] {
  const found: string[] = [];
  for (let open = [id]; open.length > 0;) {
    const rescuer = open.pop();
    for (const node of nodes) {
      if (node.config?.fallback !== rescuer || node.id === id || found.includes(node.id)) continue;
      found.push(node.id);
      open.push(node.id);
    }
  }
  return found;
}

function distinct(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}

/** JSON with sorted keys, so that equal blueprints give equal text. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object') {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
