import type { NodeDefinition, WorkflowBlueprint } from 'flowcraft';

export type NodeSpec = Partial<Omit<NodeDefinition, 'id'>>;

/**
 * Writes a blueprint as text: `a>b a>c:yes b>d?result.ok` are edges (`:action`, `?condition`), a lone `e` is a node.
 * Every node uses 'step' unless `specs` says otherwise.
 */
export function blueprint(id: string, text: string, specs: Record<string, NodeSpec> = {}): WorkflowBlueprint {
  const ids = new Set<string>();
  const edges: WorkflowBlueprint['edges'] = [];
  for (const word of text.split(/\s+/).filter((w) => w !== '')) {
    const match = /^([^>]+)(?:>([^:?]+)(?::([^?]+))?(?:\?(.+))?)?$/.exec(word);
    const [, source, target, action, condition] = match ?? [];
    if (source === undefined) throw new Error(`'${word}' is no edge and no node.`);
    ids.add(source);
    if (target === undefined) continue;
    ids.add(target);
    edges.push({
      source,
      target,
      ...(action === undefined ? {} : { action }),
      ...(condition === undefined ? {} : { condition }),
    });
  }
  for (const name of Object.keys(specs)) ids.add(name);
  return { id, nodes: [...ids].map((name) => ({ id: name, uses: 'step', ...specs[name] })), edges };
}

/** A loop controller as flowcraft's builder makes it. */
export const CONTROLLER: NodeSpec = {
  uses: 'loop-controller',
  params: { condition: 'true' },
  config: { joinStrategy: 'any' },
};

/** flowcraft's types know two strategies only. */
export const SETTLED: NodeSpec = { config: { joinStrategy: 'settled' } as never };
const SETTLED_D = { d: SETTLED };

/** The shapes that the tests of joins go through, by name. */
export const SHAPES = {
  chain: blueprint('chain', 'a>b b>c'),
  diamond: blueprint('diamond', 'a>b a>c b>d c>d'),
  wide: blueprint('wide', 'a>b1 a>b2 a>b3 a>b4 a>b5 b1>z b2>z b3>z b4>z b5>z'),
  any: blueprint('any', 'a>b a>c b>d c>d d>e', { d: { config: { joinStrategy: 'any' } } }),
  first: blueprint('first', 'a>b a>c b>d c>d', { d: { config: { joinStrategy: 'first' } as never } }),
  settled: blueprint('settled', 'a>b a>c:yes a>f b>d c>d f>d d>e', SETTLED_D),
  settledChain: blueprint('settledChain', 'a>b a>c a>x b>d c>d d>e x>y y>e', { ...SETTLED_D, e: SETTLED }),
  settledLoop: blueprint('settledLoop', 'start>l l>x:continue x>y x>z y>d z>d d>l l>end:break start>end', {
    l: CONTROLLER,
    ...SETTLED_D,
    end: SETTLED,
  }),
  settledCycle: blueprint('settledCycle', 's>p s>d p>q q>p:again q>d:done d>r', {
    p: { config: { joinStrategy: 'any' } },
    ...SETTLED_D,
  }),
  batchLoop: blueprint('batchLoop', 'a>l l>s:continue s>g g>l l>z:break', {
    l: CONTROLLER,
    s: { uses: 'batch-scatter', params: { workerUsesKey: 'step', outputKey: 'out', gatherNodeId: 'g' } },
    g: { uses: 'batch-gather', params: { outputKey: 'out', gatherNodeId: 'g' }, config: { joinStrategy: 'all' } },
  }),
  settledBatch: blueprint('settledBatch', 'a>s a>d s>g g>d', {
    s: { uses: 'batch-scatter', params: { workerUsesKey: 'step', outputKey: 'out', gatherNodeId: 'g' } },
    g: { uses: 'batch-gather', params: { outputKey: 'out', gatherNodeId: 'g' }, ...SETTLED },
    ...SETTLED_D,
  }),
  choice: blueprint('choice', 'a>b:yes a>c:no b>d c>d', { d: { config: { joinStrategy: 'any' } } }),
  loop: blueprint('loop', 'start>l l>x:continue x>y x>z y>w z>w w>l l>end:break', { l: CONTROLLER }),
  nested: blueprint('nested', 'start>o o>i:continue i>x:continue x>i i>e:break e>o o>end:break', {
    o: CONTROLLER,
    i: CONTROLLER,
  }),
  cycle: blueprint('cycle', 's>p p>q q>p:again q>r:done', { p: { config: { joinStrategy: 'any' } } }),
  fallback: blueprint('fallback', 'a>b a>c b>d c>d f', { b: { config: { fallback: 'f' } } }),
  shared: blueprint('shared', 'a>b a>c b>d c>d d>e f', {
    b: { config: { fallback: 'f' } },
    c: { config: { fallback: 'f' } },
  }),
  wired: blueprint('wired', 'a>b b>d f>d d>e', { b: { config: { fallback: 'f' } } }),
  rescueInLoop: blueprint('rescueInLoop', 'start>l l>x:continue x>y y>l l>end:break f', {
    l: CONTROLLER,
    x: { config: { fallback: 'f' } },
  }),
  batch: blueprint('batch', 'a>s s>g g>z', {
    s: { uses: 'batch-scatter', params: { workerUsesKey: 'step', outputKey: 'out', gatherNodeId: 'g' } },
    g: { uses: 'batch-gather', params: { outputKey: 'out', gatherNodeId: 'g' }, config: { joinStrategy: 'all' } },
  }),
} satisfies Record<string, WorkflowBlueprint>;
