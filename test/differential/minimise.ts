import type { EdgeDefinition, NodeDefinition, WorkflowBlueprint } from 'flowcraft';
import { withBlueprints, type FuzzCase } from './fuzz-case.js';

type Blueprints = Record<string, WorkflowBlueprint>;

const MOST_TRIES = 400;

/** Takes away from a case whatever can go while it still fails. */
export async function minimise(kase: FuzzCase, fails: (smaller: FuzzCase) => Promise<boolean>): Promise<FuzzCase> {
  let smallest = kase;
  let triesLeft = MOST_TRIES;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const blueprints of smallerThan(smallest.blueprints)) {
      if (--triesLeft < 0) return smallest;
      const candidate = withBlueprints(kase.seed, kase.name, blueprints);
      if (!(await fails(candidate))) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** One line for each node: its type, what leads to it, and how. */
export function drawing({ blueprints }: FuzzCase): string {
  return Object.values(blueprints)
    .flatMap(({ id, nodes, edges }) => [
      id,
      ...nodes.map((node) => {
        const { node: _, body: __, ...params } = node.params ?? {};
        const from = edges.filter((e) => e.target === node.id).map(arrow);
        const parts = [node.id, node.uses, ...[params, node.config, node.inputs].map(text), ...from];
        return `  ${parts.filter((part) => part !== '').join(' ')}`;
      }),
    ])
    .join('\n');
}

function arrow({ source, action, condition, transform }: EdgeDefinition): string {
  const marks = [action && `!${action}`, condition && `?(${condition})`, transform && `~(${transform})`];
  return `<-${source}${marks.filter(Boolean).join('')}`;
}

function text(value: unknown): string {
  if (value === undefined || (typeof value === 'object' && Object.keys(value ?? {}).length === 0)) return '';
  return JSON.stringify(value);
}

function* smallerThan(blueprints: Blueprints): Generator<Blueprints> {
  for (const [key, blueprint] of Object.entries(blueprints)) {
    const withPart = (part: Partial<WorkflowBlueprint>) =>
      reachable({ ...blueprints, [key]: tidy({ ...blueprint, ...part }) });
    const { nodes, edges } = blueprint;
    for (const node of nodes)
      yield withPart({
        nodes: nodes.filter((n) => n !== node),
        edges: edges.filter((e) => e.source !== node.id && e.target !== node.id),
      });
    for (const edge of edges) yield withPart({ edges: edges.filter((e) => e !== edge) });
    for (const node of nodes)
      for (const simpler of simplerNodes(node)) yield withPart({ nodes: nodes.map((n) => (n === node ? simpler : n)) });
    for (const edge of edges)
      for (const simpler of simplerEdges(edge)) yield withPart({ edges: edges.map((e) => (e === edge ? simpler : e)) });
  }
}

function* simplerNodes(node: NodeDefinition): Generator<NodeDefinition> {
  const { config, inputs, ...rest } = node;
  if (inputs !== undefined) yield { ...rest, ...(config ? { config } : {}) };
  for (const name of Object.keys(config ?? {})) {
    const { [name as 'fallback']: _, ...fewer } = config ?? {};
    yield { ...node, config: fewer };
  }
  if (['flaky', 'look', 'Phases', 'PhasesWithFallback', 'wait', 'nothing', 'empty', 'subflow'].includes(node.uses))
    yield { ...node, uses: 'mix', params: { node: node.id } };
}

function* simplerEdges(edge: EdgeDefinition): Generator<EdgeDefinition> {
  for (const name of ['transform', 'condition', 'action'] as const) {
    if (edge[name] === undefined) continue;
    const { [name]: _, ...rest } = edge;
    yield rest;
  }
}

/** Takes out what names nodes or edges that are gone. */
function tidy({ nodes, edges, ...rest }: WorkflowBlueprint): WorkflowBlueprint {
  const ids = new Set(nodes.map((n) => n.id));
  const into = (id: string) => new Set(edges.filter((e) => e.target === id).map((e) => e.source));
  const open = new Set(nodes.filter((n) => isOpen(n, edges)).map((n) => n.id));
  return {
    ...rest,
    edges: edges.map(({ action, ...e }) => (action === undefined || open.has(e.source) ? e : { ...e, action })),
    nodes: nodes.map((node) =>
      tidyNode(open.has(node.id) ? { ...node, uses: 'mix' } : node, edges, ids, into(node.id)),
    ),
  };
}

/** Without its way back it would choose an action that no edge bears. */
function isOpen({ id, uses }: NodeDefinition, edges: readonly EdgeDefinition[]): boolean {
  const borne = edges.filter((e) => e.source === id).map((e) => e.action);
  if (uses === 'loop-controller') return !(borne.includes('continue') && borne.includes('break'));
  return uses === 'turnstile' && !(borne.includes('again') && borne.length > 1);
}

function tidyNode(
  node: NodeDefinition,
  edges: readonly EdgeDefinition[],
  ids: ReadonlySet<string>,
  before: ReadonlySet<string>,
): NodeDefinition {
  const { config, inputs, params = {}, ...rest } = node;
  const { actions, body } = params;
  const borne = edges.filter((e) => e.source === node.id).map((e) => e.action);
  const { fallback, ...others } = config ?? {};
  return {
    ...rest,
    params: {
      ...params,
      ...(Array.isArray(actions)
        ? { actions: actions.filter((a: string | null) => a === null || borne.includes(a)) }
        : {}),
      ...(Array.isArray(body) ? { body: body.filter((id: string) => ids.has(id)) } : {}),
    },
    ...(config ? { config: fallback !== undefined && ids.has(fallback) ? config : others } : {}),
    ...(inputs === undefined ? {} : { inputs: tidyInputs(inputs, ids, before) }),
  };
}

function tidyInputs(
  inputs: NonNullable<NodeDefinition['inputs']>,
  ids: ReadonlySet<string>,
  before: ReadonlySet<string>,
): NonNullable<NodeDefinition['inputs']> {
  if (typeof inputs === 'string') return inputs;
  return Object.fromEntries(Object.entries(inputs).filter(([, key]) => !ids.has(key) || before.has(key)));
}

/** Without the subflows that nobody calls any more. */
function reachable(blueprints: Blueprints): Blueprints {
  const called = new Set(['main']);
  for (const key of called)
    for (const { params } of blueprints[key]?.nodes ?? [])
      for (const [other, { id }] of Object.entries(blueprints)) if (id === params?.['blueprintId']) called.add(other);
  return Object.fromEntries(Object.entries(blueprints).filter(([key]) => called.has(key)));
}
