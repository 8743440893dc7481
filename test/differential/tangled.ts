import type { EdgeDefinition, WorkflowBlueprint } from 'flowcraft';
import type { Random } from '../simulation/world/random.js';
import { someTransform, Sketch } from './sketch.js';

const ACTIONS = ['x', 'y', 'z'];

/**
 * Any graph at all: conditional, action and transforming edges, both joins, fallbacks, waits, failures, edges back
 * through `any` nodes. What comes of it may depend on which of two nodes ends first.
 */
export function tangle(random: Random, name: string): Record<string, WorkflowBlueprint> {
  const s = new Sketch(name, random, 0, { next: 0 });
  const count = s.between(3, random.chance(0.3) ? 18 : 9);
  const ids = Array.from({ length: count }, (_, i) => `n${i}`);
  const edges = forward(s, ids);
  const into = (id: string) => edges.filter((e) => e.target === id);
  const joins = new Map(
    ids.map((id) => [id, into(id).length > 1 && random.chance(0.45) ? ('any' as const) : ('all' as const)]),
  );
  const turnstiles = random.chance(0.35) ? edgesBack(s, ids, edges, joins) : new Set<string>();
  const fallbacks = someFallbacks(s, ids, edges, turnstiles);
  const rescuers = new Set(fallbacks.values());
  // some of them run in any case, before or after they are needed
  for (const rescuer of rescuers) {
    const before = ids.slice(0, ids.indexOf(rescuer)).filter((id) => !rescuers.has(id));
    if (random.chance(0.3)) edges.push({ source: random.pick(before), target: rescuer, ...guard(s) });
  }
  // an own edge of a fallback that is not needed blocks an all join in-process
  for (let i = edges.length - 1; i >= 0; i--) if (rescuers.has(edges[i]?.source ?? '')) edges.splice(i, 1);
  // in-process a node without a result does not start an any join that has run before; here it does
  const leadsToAny = (id: string) => edges.some((e) => e.source === id && joins.get(e.target) === 'any');
  const repeated = behind(
    ids.filter((id) => joins.get(id) === 'any'),
    edges,
  );
  for (const id of ids) {
    const outgoing = edges.filter((e) => e.source === id);
    const incoming = into(id);
    const fallback = fallbacks.get(id);
    const mayRepeat = repeated.has(id) || rescuers.has(id);
    const isRetried = random.chance(0.06);
    const config = {
      ...(joins.get(id) === 'any' ? { joinStrategy: 'any' as const } : {}),
      ...(isRetried ? { maxRetries: 3 } : {}),
      ...(fallback === undefined ? {} : { fallback }),
    };
    const readsByName = incoming.length > 1 && random.chance(0.75);
    // without, a transforming edge works on what an edge before it has left, if it knows of it
    if (incoming.length > 1 && !readsByName) for (const e of incoming) delete e.transform;
    const options = {
      ...(Object.keys(config).length > 0 ? { config } : {}),
      ...(readsByName ? { inputs: Object.fromEntries(incoming.map((e) => [e.source, e.source])) } : {}),
    };
    const actions = [...new Set(outgoing.flatMap((e) => e.action ?? []))];
    if (turnstiles.has(id)) s.named(id, 'turnstile', { ...options, params: { times: s.between(1, 2) } });
    else if (fallback !== undefined) s.named(id, random.chance(0.5) ? 'fail' : 'failOnOdd', options);
    else if (incoming.length > 0 && !mayRepeat && random.chance(0.05)) s.named(id, 'fail', options);
    else if (isRetried) s.named(id, 'flaky', { ...options, params: { fails: s.between(0, mayRepeat ? 2 : 3) } });
    else if (actions.length > 0)
      s.named(id, 'choose', { ...options, params: { actions: random.chance(0.4) ? [...actions, null] : actions } });
    // one that is needed while it waits is begun a second time in-process
    else if (!rescuers.has(id) && random.chance(0.04))
      s.named(id, 'wait', { ...options, params: { answer: { output: random.int(100) } } });
    else if (!rescuers.has(id) && random.chance(0.05)) s.named(id, leadsToAny(id) ? 'empty' : 'nothing', options);
    else s.named(id, 'mix', options);
  }
  s.edges.push(...edges);
  return { main: s.blueprint() };
}

function forward(s: Sketch, ids: readonly string[]): EdgeDefinition[] {
  const { random } = s;
  const edges: EdgeDefinition[] = [];
  ids.forEach((target, j) => {
    const wanted = j === 0 || random.chance(0.12) ? 0 : Math.min(j, 1 + Math.floor(random.next() * random.next() * 4));
    const from = new Set<number>();
    while (from.size < wanted) from.add(s.between(Math.max(0, j - 7), j - 1));
    // of two transforming edges into one node the second works on what the first has made, if it knows of it
    const transforming = s.between(0, j);
    for (const i of [...from].sort((a, b) => a - b))
      edges.push({
        source: ids[i] as string,
        target,
        ...guard(s),
        ...(i === transforming ? someTransform(random, 0.6) : {}),
      });
  });
  return edges;
}

function guard(s: Sketch): Partial<EdgeDefinition> {
  const { random } = s;
  const r = random.int(100);
  if (r < 13) return { condition: `result.output % ${s.between(2, 3)} === ${random.int(2)}` };
  if (r < 26) return { action: random.pick(ACTIONS) };
  if (r < 29) return { action: random.pick(ACTIONS.slice(0, 2)), condition: 'result.output % 2 === 0' };
  return {};
}

/** What may become ready again: if it failed, in-process it is tried again, here it stays failed. */
function behind(anyJoins: readonly string[], edges: readonly EdgeDefinition[]): Set<string> {
  const found = new Set<string>();
  for (const open = [...anyJoins]; open.length > 0;) {
    const id = open.pop();
    for (const { source, target } of edges) {
      if (source !== id || found.has(target)) continue;
      found.add(target);
      open.push(target);
    }
  }
  return found;
}

/** Edges back to `any` nodes, from nodes that take them a few times only. */
function edgesBack(
  s: Sketch,
  ids: readonly string[],
  edges: EdgeDefinition[],
  joins: Map<string, 'any' | 'all'>,
): Set<string> {
  const turnstiles = new Set<string>();
  for (let wanted = s.between(1, 2); wanted > 0; wanted--) {
    const from = s.between(1, ids.length - 1);
    const source = ids[from] as string;
    const target = ids[s.between(1, from)] as string;
    if (source === target || turnstiles.has(source)) continue;
    turnstiles.add(source);
    joins.set(target, 'any');
    if (s.random.chance(0.6)) joins.set(source, 'any'); // else it is passed once
    for (const e of edges) if (e.source === source) e.action = 'on';
    edges.push({ source, target, action: 'again' });
  }
  return turnstiles;
}

/** Nodes without an edge into them that stand in for others. */
function someFallbacks(
  s: Sketch,
  ids: readonly string[],
  edges: readonly EdgeDefinition[],
  turnstiles: ReadonlySet<string>,
): Map<string, string> {
  const fallbacks = new Map<string, string>();
  const free = ids.slice(1).filter((id) => !edges.some((e) => e.target === id) && !turnstiles.has(id));
  for (const rescuer of free) {
    if (!s.random.chance(0.5)) continue;
    const failing = s.random.pick(ids);
    if (failing === rescuer || free.includes(failing) || turnstiles.has(failing)) continue;
    fallbacks.set(failing, rescuer);
  }
  return fallbacks;
}
