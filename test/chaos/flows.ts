import type { NodeDefinition, WorkflowBlueprint } from 'flowcraft';
import { blueprint, type NodeSpec } from '../support/blueprints.js';

/** One kind of run that the load consists of. */
export interface Flow {
  readonly name: string;
  readonly weight: number;
  readonly blueprint: WorkflowBlueprint;
  /** Blueprints of its subflows. */
  readonly children?: readonly WorkflowBlueprint[];
  /**
   * `answered`: the client answers what waits. `left`: nobody does, until the end. `cancelled`: the client cancels it
   * somewhere on its way.
   */
  readonly fate?: 'answered' | 'left' | 'cancelled';
  /** Takes long by itself, so that it says nothing about recovery. */
  readonly isLong?: boolean;
  /** Nodes whose output depends on which of two branches came first. */
  readonly timed?: readonly string[];
  /** How often nodes execute that the in-process runtime executes once a round. */
  readonly turns?: Readonly<Record<string, number>>;
}

const ANY = { joinStrategy: 'any' } as const;
const from = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, id]));
const LOOP: NodeSpec = { uses: 'loop-controller', params: { condition: 'more' }, config: ANY };
const BATCH = (scatter: string, gather: string, list: string): Record<string, NodeSpec> => ({
  [scatter]: {
    uses: 'batch-scatter',
    inputs: list,
    params: { workerUsesKey: 'unit', outputKey: 'units', gatherNodeId: gather },
  },
  [gather]: {
    uses: 'batch-gather',
    params: { outputKey: 'units', gatherNodeId: gather },
    config: { joinStrategy: 'all' },
  },
});

const BUILT_IN = /^(wait|sleep|webhook|subflow|batch-.*|loop-controller)$/;

/** As `blueprint`, with nodes of the type `work` that know their names. */
function named(id: string, text: string, specs: Record<string, NodeSpec> = {}): WorkflowBlueprint {
  const made = blueprint(id, text, specs);
  const nodes = made.nodes.map((node): NodeDefinition => {
    const uses = node.uses === 'step' ? 'work' : node.uses;
    return BUILT_IN.test(uses) ? node : { ...node, uses, params: { ...node.params, node: node.id } };
  });
  return { ...made, nodes };
}

const child = named('child', 's1>s2 s1>s3 s2>s4 s3>s4', { s4: { inputs: from('s2', 's3') } });
const shaky = named('shaky', 't1>t2', { t2: { uses: 'failsOnce' } });

export const FLOWS: readonly Flow[] = [
  {
    name: 'chain',
    weight: 4,
    blueprint: named('chain', 'c1>c2 c2>c3 c3>c4 c4>c5 c5>c6', {
      c2: { uses: 'add' },
      c3: { uses: 'add' },
      c4: { uses: 'add' },
      c5: { uses: 'add' },
    }),
  },
  {
    name: 'diamond',
    weight: 4,
    blueprint: named('diamond', 'a>b1 a>b2 a>b3 a>b4 b1>j b2>j b3>j b4>j j>z', {
      j: { inputs: from('b1', 'b2', 'b3', 'b4') },
    }),
  },
  {
    name: 'mesh',
    weight: 3,
    blueprint: named('mesh', 'a>b a>c b>d c>d c>e b>e d>f e>f f>g', {
      d: { inputs: from('b', 'c') },
      e: { inputs: from('b', 'c') },
      f: { inputs: from('d', 'e') },
      b: { uses: 'add' },
      g: { uses: 'add' },
    }),
  },
  {
    name: 'choice',
    weight: 3,
    blueprint: named('choice', 'a>b:even a>c:odd b>j c>j j>d:even j>e:odd d>k e>k k>z', {
      a: { uses: 'parity' },
      j: { uses: 'parity', config: ANY },
      k: { config: ANY },
    }),
  },
  {
    name: 'race',
    weight: 1,
    blueprint: named('race', 'a>b a>c b>j c>j j>k', { j: { config: ANY } }),
    timed: ['j', 'k'],
    turns: { j: 2, k: 1 },
  },
  {
    name: 'loop',
    weight: 3,
    blueprint: named('loop', 's>l l>body:continue body>l l>end:break', {
      s: { uses: 'begin' },
      l: LOOP,
      body: { uses: 'pass' },
    }),
  },
  {
    name: 'wideLoop',
    weight: 2,
    blueprint: named('wideLoop', 's>l l>x:continue x>y x>z y>w z>w w>l l>end:break', {
      s: { uses: 'begin' },
      l: LOOP,
      w: { uses: 'pass', inputs: from('y', 'z') },
    }),
  },
  {
    name: 'batch',
    weight: 2,
    blueprint: named('batch', 'a>sc sc>ga ga>z', { ...BATCH('sc', 'ga', 'list'), z: { inputs: 'units' } }),
  },
  {
    name: 'wait',
    weight: 3,
    blueprint: named('wait', 'a>w w>b b>c', { w: { uses: 'wait' }, b: { uses: 'add' } }),
    fate: 'answered',
  },
  {
    name: 'twoWaits',
    weight: 2,
    blueprint: named('twoWaits', 'a>w1 a>w2 a>b w1>j w2>j b>j j>z', {
      w1: { uses: 'wait' },
      w2: { uses: 'wait' },
      j: { inputs: from('w1', 'w2', 'b') },
    }),
    fate: 'answered',
  },
  {
    name: 'sleep',
    weight: 2,
    blueprint: named('sleep', 'a>n n>b b>c', { n: { uses: 'sleep', params: { duration: 2500 } }, b: { uses: 'add' } }),
  },
  {
    name: 'longSleep',
    weight: 1,
    isLong: true,
    blueprint: named('longSleep', 'a>n a>b n>j b>j j>z', {
      n: { uses: 'sleep', params: { duration: '15s' } },
      j: { inputs: from('b') },
    }),
  },
  {
    name: 'left',
    weight: 0.5,
    blueprint: named('left', 'a>w a>b w>j b>j', { w: { uses: 'wait' }, j: { inputs: from('w', 'b') } }),
    fate: 'left',
  },
  {
    name: 'parent',
    weight: 3,
    blueprint: named('parent', 'a>sub a>b sub>j b>j j>z', {
      sub: { uses: 'subflow', params: { blueprintId: 'child' } },
      j: { inputs: from('sub', 'b') },
    }),
    children: [child],
  },
  {
    name: 'retries',
    weight: 2,
    blueprint: named('retries', 'a>sub sub>z', {
      sub: { uses: 'subflow', params: { blueprintId: 'shaky' }, config: { maxRetries: 3 } },
    }),
    children: [shaky],
  },
  {
    name: 'flaky',
    weight: 2,
    blueprint: named('flaky', 'a>b a>d b>c d>c f>c c>z', {
      b: { uses: 'flaky', config: { maxRetries: 3 } },
      d: { uses: 'broken', config: { fallback: 'f' } },
      c: { inputs: from('b', 'f') },
    }),
  },
  { name: 'fails', weight: 1, blueprint: named('fails', 'a>b a>c b>d c>e', { b: { uses: 'broken' } }) },
  {
    name: 'cancelled',
    weight: 1,
    blueprint: named('cancelled', 'a>b b>c c>d d>e', { c: { uses: 'slow' } }),
    fate: 'cancelled',
  },
  { name: 'blocks', weight: 0, blueprint: named('blocks', 'a>b b>c', { b: { uses: 'blocks' } }) },
  { name: 'slow', weight: 0.5, isLong: true, blueprint: named('slow', 'a>b b>c', { b: { uses: 'long' } }) },
];

export const BLUEPRINTS: Readonly<Record<string, WorkflowBlueprint>> = Object.fromEntries(
  FLOWS.flatMap((flow) => [flow.blueprint, ...(flow.children ?? [])]).map((b) => [b.id, b]),
);

/** What a run begins with: the number makes its values differ from those of others. */
export function contextOf(flow: Flow, number: number): Record<string, unknown> {
  return { number, ...(flow.name === 'batch' ? { list: [number, number + 1, number + 2, number + 3] } : {}) };
}

/** The answer that a waiting node gets: always the same, so that it may be given again. */
export function answerOf(number: number, nodeId: string): { v: number; x: string } {
  return { v: (number * 31 + nodeId.length) % 1000, x: `answer:${nodeId}` };
}
