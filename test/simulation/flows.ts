import type { WorkflowBlueprint } from 'flowcraft';
import { blueprint as draw, CONTROLLER, type NodeSpec } from '../support/blueprints.js';

export interface Answer {
  readonly output?: unknown;
  readonly action?: string;
}

/** A workflow that schedules run, and how to know what must come of it. */
export interface Flow {
  readonly name: string;
  /** The first one is started. */
  readonly blueprints: readonly WorkflowBlueprint[];
  /** Answers for nodes that wait, by node. */
  readonly answers: Readonly<Record<string, Answer>>;
  /**
   * flowcraft's own runtime is wrong here (docs/semantics.md) or does not know it: these are the values that some keys of
   * the context have in the end, worked out by hand; the rest is as in a run without faults.
   */
  readonly intended?: Readonly<Record<string, unknown>>;
}

const any: NodeSpec = { uses: 'constant', config: { joinStrategy: 'any' } };
const count = (limit = 0, again = '', key = 'n'): NodeSpec => ({ uses: 'count', params: { key, limit, again } });
const fail = (fallback?: string, maxRetries?: number): NodeSpec => ({
  uses: 'fail',
  config: { ...(fallback === undefined ? {} : { fallback }), ...(maxRetries === undefined ? {} : { maxRetries }) },
});
const subflow = (blueprintId: string, config: NodeSpec['config'] = {}): NodeSpec => ({
  uses: 'subflow',
  params: { blueprintId },
  config,
});
const wait: NodeSpec = { uses: 'wait' };
const sleep = (duration: number): NodeSpec => ({ uses: 'sleep', params: { duration } });

const INNER = blueprint('inner', 'p>q p>r q>t r>t');
const BROKEN = blueprint('broken', 'p>q', { q: fail() });
const ASKING = blueprint('asking', 'p>w w>q', { w: wait });
const NAPPING = blueprint('napping', 'p>w w>q', { w: sleep(8_000) });
const COUNTING = blueprint('counting', 'p>q q>r', { p: count(), q: count(), r: count() });
const STARTING = blueprint('starting', 'p>t q>t r>t');

export const FLOWS: readonly Flow[] = [
  flow('single', 'a'),
  flow('chain', 'a>b b>c c>d'),
  flow('two starts', 'a>c b>c c>d'),
  flow('read, modify, write', 'a>b b>c c>d', { a: count(), b: count(), c: count(), d: count() }),
  flow('write around a fan', 'a>b a>c b>d c>d d>e', { a: count(), d: count(), e: count() }),
  flow('diamond', 'a>b a>c b>d c>d d>e'),
  flow('wide', 'a>b1 a>b2 a>b3 a>b4 b1>z b2>z b3>z b4>z'),
  flow('layers', 'a>b a>c b>d b>e c>d c>e d>f e>f'),
  flow('any join', 'a>b a>c b>d c>d d>e', { d: any, e: { uses: 'constant' } }),
  flow('any into all', 'a>b a>c a>x b>d c>d d>e x>e', { d: any }),
  flow('choice', 'a>b:yes a>c:no b>d c>d d>e', { a: { uses: 'choose', params: { action: 'no' } }, d: any }),
  flow('conditions', 'a>b?result.output.yes a>c?result.output.no b>d c>d d>e', { a: { uses: 'flags' }, d: any }),
  flow('branch not taken', 'a>b:yes a>c:no b>d c>e', { a: { uses: 'choose', params: { action: 'yes' } } }),
  flow('loop', 's>l l>x:continue x>y x>z y>w z>w w>l l>e:break', {
    s: { uses: 'count', params: { key: 'first', limit: 2, again: 'more' } },
    l: { ...CONTROLLER, params: { condition: 'more' } },
    x: count(3, 'more'),
    w: count(0, '', 'm'),
  }),
  flow(
    'nested loops',
    's>o o>k:continue k>i i>x:continue x>i i>y:break y>o o>e:break',
    {
      s: { uses: 'count', params: { key: 'first', limit: 2, again: 'outer' } },
      o: { ...CONTROLLER, params: { condition: 'outer' } },
      k: { uses: 'count', params: { key: 'k', limit: 9, again: 'inner' } },
      i: { ...CONTROLLER, params: { condition: 'inner' } },
      x: count(2, 'inner'),
      y: { uses: 'count', params: { key: 'm', limit: 2, again: 'outer' } },
    },
    { intended: { n: 4, m: 2, k: 2 } },
  ),
  flow('cycle', 's>p p>q q>p:again q>r:done', { p: any, q: count(3, 'more') }),
  flow('batch', 'a>s s>g g>z', {
    a: { uses: 'list' },
    s: { uses: 'batch-scatter', params: { workerUsesKey: 'step', outputKey: 'out', gatherNodeId: 'g' } },
    g: {
      uses: 'batch-gather',
      params: { outputKey: 'out', gatherNodeId: 'g' },
      config: { joinStrategy: 'all' },
      inputs: 's',
    },
  }),
  flow('fallback', 'a>b a>c b>d c>d d>e f', { b: fail('f') }),
  flow('shared fallback', 'a>b a>c b>d c>d d>e f', { b: fail('f', 2), c: fail('f') }),
  flow('failing', 'a>b a>c b>d c>e e>g', { b: fail() }),
  flow('failing after retries', 'a>b b>c', { b: fail(undefined, 3) }),
  flow('subflow', 'a>s s>z', { s: subflow('inner') }, { others: [INNER] }),
  flow('subflow that writes', 'a>s s>z', { a: count(), s: subflow('counting'), z: count() }, { others: [COUNTING] }),
  flow('subflow fails', 'a>s s>z', { s: subflow('broken') }, { others: [BROKEN] }),
  flow('subflow is tried again', 'a>s s>z', { s: subflow('broken', { maxRetries: 3 }) }, { others: [BROKEN] }),
  flow(
    'subflow is rescued',
    'a>s a>b s>z b>z f',
    { s: subflow('broken', { maxRetries: 2, fallback: 'f' }) },
    { others: [BROKEN] },
  ),
  flow(
    'subflow in a subflow',
    'a>s s>z',
    { s: subflow('middle') },
    { others: [blueprint('middle', 'k>m m>o', { m: subflow('inner') }), INNER] },
  ),
  flow('wait', 'a>w w>z', { w: wait }, { answers: { w: { output: { v: 'yes' } } } }),
  flow(
    'two waits',
    'a>v a>w v>z w>z',
    { v: wait, w: wait },
    { answers: { v: { output: { v: 1 } }, w: { output: { v: 2 } } } },
  ),
  flow(
    'wait beside work',
    'a>w a>b b>c w>z c>z z>y',
    { w: wait, b: count(), c: count(), y: count() },
    { answers: { w: { output: { v: 3 } } } },
  ),
  flow(
    'wait with an action',
    'a>w w>y:yes w>n:no y>z n>z',
    { w: wait, z: any },
    { answers: { w: { output: { v: 4 }, action: 'no' } } },
  ),
  flow(
    'wait in a loop',
    's>l l>w:continue w>x x>l l>e:break',
    {
      s: { uses: 'count', params: { key: 'first', limit: 2, again: 'more' } },
      l: { ...CONTROLLER, params: { condition: 'more' } },
      w: wait,
      x: count(2, 'more'),
    },
    { answers: { w: { output: { v: 5 } } } },
  ),
  flow(
    'wait in a subflow',
    'a>s s>z',
    { s: subflow('asking') },
    { others: [ASKING], answers: { w: { output: { v: 6 } } } },
  ),
  flow('sleep', 'a>s s>z', { s: sleep(3_000) }),
  flow('sleep beside work', 'a>s a>b b>c s>z c>z', { s: sleep(20_000), b: count(), c: count() }),
  flow('sleep that several lead to', 'a>b a>c b>d c>d d>e', {
    d: { ...sleep(3_000), inputs: 'a', config: { joinStrategy: 'any' } },
    e: any,
  }),
  flow('sleep in a loop', 's>l l>w:continue w>x x>l l>e:break', {
    s: { uses: 'count', params: { key: 'first', limit: 2, again: 'more' } },
    l: { ...CONTROLLER, params: { condition: 'more' } },
    w: sleep(500),
    x: count(2, 'more'),
  }),
  flow('sleep in a subflow', 'a>s s>z', { s: subflow('napping') }, { others: [NAPPING] }),
  flow(
    'fallback in a loop',
    's>l l>x:continue x>y y>l l>e:break f',
    {
      s: { uses: 'count', params: { key: 'first', limit: 2, again: 'more' } },
      l: { ...CONTROLLER, params: { condition: 'more' } },
      x: fail('f'),
      y: count(2, 'more'),
    },
    { intended: { n: 2 } },
  ),
  flow('many starts', 'a>h b>f b>g c>g d>g e>h f>i g>i h>i'),
  flow('starts that wait', 'v>z a>z w>z z>y', { v: wait, w: sleep(3_000) }, { answers: { v: { output: { v: 7 } } } }),
  flow('subflow of many starts', 'a>s s>z', { s: subflow('starting') }, { others: [STARTING] }),
];

function flow(
  name: string,
  text: string,
  specs: Record<string, NodeSpec> = {},
  more: { others?: WorkflowBlueprint[]; answers?: Flow['answers']; intended?: Flow['intended'] } = {},
): Flow {
  const { others = [], answers = {}, intended } = more;
  const main = blueprint(name.replaceAll(/[^a-z]+/g, '-'), text, specs);
  return { name, blueprints: [main, ...others], answers, ...(intended ? { intended } : {}) };
}

/** Nodes know their names, and joins name their inputs: otherwise the input is the output of whoever came last. */
function blueprint(id: string, text: string, specs: Record<string, NodeSpec> = {}): WorkflowBlueprint {
  const drawn = draw(id, text, specs);
  return {
    ...drawn,
    nodes: drawn.nodes.map((node) => {
      const before = [...new Set(drawn.edges.filter((e) => e.target === node.id).map((e) => e.source))];
      const named = before.length > 1 && node.inputs === undefined && node.uses !== 'loop-controller';
      return {
        ...node,
        params: { name: node.id, ...node.params },
        ...(named ? { inputs: Object.fromEntries(before.map((b) => [b, b])) } : {}),
      };
    }),
  };
}
