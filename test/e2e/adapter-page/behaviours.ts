import {
  FlowcraftError,
  type EdgeDefinition,
  type NodeContext,
  type NodeDefinition,
  type NodeFunction,
  type WorkflowBlueprint,
} from 'flowcraft';

/** What the original adapter gets right or wrong on real servers, and what is right. */
export interface Behaviour {
  readonly name: string;
  readonly blueprint: WorkflowBlueprint;
  /** Blueprints of subflows. */
  readonly others?: readonly WorkflowBlueprint[];
  readonly context?: Record<string, unknown>;
  /** Must hold for the outcome, beside that it equals the in-process runtime's. */
  readonly status?: string;
  readonly values?: Record<string, unknown>;
  /** How often nodes are executed. */
  readonly executions?: Record<string, number>;
}

type Params = Record<string, unknown>;
type Node = readonly [id: string, uses: string, params?: Params, more?: Partial<NodeDefinition>];

/** How often each node was executed: by `<blueprint>/<node>`, which nodes are given as `params.count`. */
export const executions = new Map<string, number>();

const ANY = { config: { joinStrategy: 'any' } } as const;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const nodes: Record<string, (node: NodeContext) => Promise<{ output?: unknown; action?: string }>> = {
  value: async ({ params, input }) => ({ output: params['value'] ?? input ?? 'none' }),
  act: async ({ params, input }) => ({ output: params['value'] ?? input, action: String(params['action']) }),
  see: async ({ input }) => ({ output: `saw ${JSON.stringify(input)}` }),
  set: async ({ context, params }) => {
    await context.set(String(params['key']), params['value']);
    return { output: params['value'] };
  },
  add: async ({ context, params }) => {
    const count = Number((await context.get(String(params['key']))) ?? 0) + 1;
    await context.set(String(params['key']), count);
    return { output: count };
  },
  setMany: async ({ context }) => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => context.set(`many${i}`, i)));
    return { output: 20 };
  },
  nothing: async () => ({}),
  big: async ({ params }) => ({ output: String(params['letter']).repeat(700_000) }),
  lengths: async ({ input }) => ({ output: Object.values(input as Record<string, string>).map((v) => v.length) }),
  slow: async ({ params }) => {
    await sleep(Number(params['ms']));
    return { output: 'slept' };
  },
  fail: async () => {
    throw new Error('deliberate');
  },
  fatal: async () => {
    throw new FlowcraftError('deliberately fatal', { isFatal: true });
  },
  failTwice: async ({ params }) => {
    if ((executions.get(String(params['count'])) ?? 0) < 3) throw new Error('not yet');
    return { output: 'third time' };
  },
  double: async ({ input }) => ({ output: Number(input) * 2 }),
  sum: async ({ input }) => ({ output: (input as number[]).reduce((a, b) => a + b, 0) }),
  date: async () => ({ output: new Date(86_400_000) }),
  seeDate: async ({ input }) => ({ output: input instanceof Date ? input.getTime() : `a ${typeof input}` }),
};

/** Counts the executions of every node. */
export const registry: Record<string, NodeFunction> = Object.fromEntries(
  Object.entries(nodes).map(([name, run]) => [
    name,
    async (node: NodeContext) => {
      const key = String(node.params?.['count'] ?? `batch/${name}`);
      executions.set(key, (executions.get(key) ?? 0) + 1);
      return run(node) as ReturnType<NodeFunction>;
    },
  ]),
);

const BUILT_IN = new Set(['wait', 'sleep', 'subflow', 'batch-scatter', 'batch-gather', 'loop-controller']);

/** `edges`: 'a>b a>c:action a>d?condition'. */
export function flow(id: string, list: readonly Node[], edges: string, more: EdgeDefinition[] = []): WorkflowBlueprint {
  return {
    id,
    nodes: list.map(([name, uses, params, rest]) => ({
      id: name,
      uses,
      params: BUILT_IN.has(uses) ? params : { ...params, count: `${id}/${name}` },
      ...rest,
    })),
    edges: [
      ...edges
        .split(' ')
        .filter((edge) => edge !== '')
        .map((edge) => {
          const [, source = '', target = '', action, condition] =
            /^([^>]+)>([^:?]+)(?::([^?]+))?(?:\?(.+))?$/.exec(edge) ?? [];
          return { source, target, ...(action ? { action } : {}), ...(condition ? { condition } : {}) };
        }),
      ...more,
    ],
  };
}

const yes: Node = ['s', 'act', { action: 'yes', value: 1 }];
const value = (id: string): Node => [id, 'value', { value: id }];
const see = (id: string, more?: Partial<NodeDefinition>): Node => [id, 'see', {}, more];

export const behaviours: readonly Behaviour[] = [
  {
    name: 'linear',
    blueprint: flow('linear', [value('a'), see('b'), see('c')], 'a>b b>c'),
    context: { blueprintVersion: null },
    status: 'completed',
  },
  {
    name: 'without a blueprintVersion in the context',
    blueprint: flow('docs-client', [value('a'), see('b')], 'a>b'),
    status: 'completed',
  },
  {
    name: 'diamond',
    blueprint: flow(
      'diamond',
      [value('a'), value('b'), value('c'), see('d', { inputs: { b: 'b', c: 'c' } })],
      'a>b a>c b>d c>d',
    ),
    executions: { d: 1 },
  },
  {
    name: 'branch with two terminals, one taken',
    blueprint: flow('branch', [yes, see('l'), see('r')], 's>l:yes s>r:no'),
    status: 'completed',
    executions: { l: 1, r: 0 },
  },
  {
    name: 'branch into an all join, which never runs',
    blueprint: flow('branch-join-all', [yes, see('l'), see('r'), see('j')], 's>l:yes s>r:no l>j r>j'),
    status: 'completed',
    executions: { l: 1, r: 0, j: 0 },
  },
  {
    name: 'branch into an any join',
    blueprint: flow('branch-join-any', [yes, see('l'), see('r'), see('j', ANY)], 's>l:yes s>r:no l>j r>j'),
    status: 'completed',
    executions: { j: 1 },
  },
  {
    name: 'condition with two terminals, one true',
    blueprint: flow(
      'condition',
      [['s', 'value', { value: 7 }], see('l'), see('r')],
      's>l?result.output>5 s>r?result.output<5',
    ),
    status: 'completed',
    executions: { l: 1, r: 0 },
  },
  {
    name: 'condition into an any join',
    blueprint: flow(
      'condition-join-any',
      [['s', 'value', { value: 7 }], see('l'), see('r'), see('j', ANY)],
      's>l?result.output>5 s>r?result.output<5 l>j r>j',
    ),
    executions: { j: 1 },
  },
  {
    name: 'condition over the output of a node by its id',
    blueprint: flow(
      'condition-node-key',
      [['s', 'value', { value: { ok: true } }], see('l'), see('r')],
      's>l?s.ok s>r?!s.ok',
    ),
    status: 'completed',
    executions: { l: 1, r: 0 },
  },
  {
    name: 'transform',
    blueprint: flow('transform', [['s', 'value', { value: { n: 1 } }], see('t')], '', [
      { source: 's', target: 't', transform: '({ n: input.n + context.k })' },
    ]),
    context: { k: 41 },
    values: { t: 'saw {"n":42}' },
  },
  {
    name: 'parallel branches that set keys of their own',
    blueprint: flow(
      'parallel-set',
      [
        value('s'),
        ...Array.from({ length: 20 }, (_, i): Node => [`p${i}`, 'set', { key: `k${i}`, value: i }]),
        value('e'),
      ],
      Array.from({ length: 20 }, (_, i) => `s>p${i} p${i}>e`).join(' '),
    ),
    values: { k0: 0, k19: 19 },
    executions: { e: 1 },
  },
  {
    name: 'one node that sets many keys at once',
    blueprint: flow('promise-all-set', [['a', 'setMany'], see('b')], 'a>b'),
    values: { many0: 0, many19: 19 },
  },
  {
    name: 'retry that succeeds',
    blueprint: flow('retry-ok', [['a', 'failTwice', {}, { config: { maxRetries: 3 } }], see('b')], 'a>b'),
    status: 'completed',
    values: { b: 'saw "third time"' },
    executions: { a: 3 },
  },
  {
    name: 'retries exhausted',
    blueprint: flow('retry-exhausted', [['a', 'fail', {}, { config: { maxRetries: 3 } }], see('b')], 'a>b'),
    status: 'failed',
    executions: { a: 3, b: 0 },
  },
  {
    name: 'fallback used, and its node started by the client as well',
    blueprint: flow(
      'fallback-used',
      [['main', 'fail', {}, { config: { fallback: 'spare' } }], value('spare'), see('next')],
      'main>next',
    ),
    status: 'completed',
    values: { next: 'saw "spare"' },
    executions: { spare: 1, next: 1 },
  },
  {
    name: 'fallback that inherits the successors of the node behind a source',
    blueprint: flow(
      'fallback-inherit',
      [value('s'), ['main', 'fail', {}, { config: { fallback: 'spare' } }], value('spare'), see('next'), see('last')],
      's>main main>next next>last',
    ),
    status: 'completed',
    executions: { spare: 1, next: 1, last: 1 },
  },
  {
    name: 'fallback not used',
    blueprint: flow(
      'fallback-unused',
      [['main', 'value', { value: 'from main' }, { config: { fallback: 'spare' } }], value('spare'), see('next')],
      'main>next',
    ),
    values: { next: 'saw "from main"' },
    executions: { spare: 0, next: 1 },
  },
  {
    name: 'fatal error',
    blueprint: flow('fatal', [value('a'), ['b', 'fatal', {}, { config: { maxRetries: 3 } }], see('c')], 'a>b b>c'),
    status: 'failed',
    executions: { b: 1, c: 0 },
  },
  {
    name: 'error before an all join',
    blueprint: flow('error-all-join', [value('a'), ['b', 'fail'], value('c'), see('j')], 'a>b a>c b>j c>j'),
    status: 'failed',
    executions: { j: 0 },
  },
  {
    name: 'node without output',
    blueprint: flow('no-output', [value('a'), ['b', 'nothing']], 'a>b'),
    status: 'completed',
  },
  {
    name: 'loop',
    blueprint: flow(
      'loop',
      [
        ['a', 'set', { key: 'count', value: 0 }],
        ['l', 'loop-controller', { condition: 'count < 5' }, ANY],
        ['body', 'add', { key: 'count' }],
        see('end'),
      ],
      'a>l body>l l>body:continue l>end:break',
    ),
    status: 'completed',
    values: { count: 5 },
    executions: { body: 5, end: 1 },
  },
  {
    name: 'back edge',
    blueprint: flow(
      'back-edge',
      [value('s'), ['a', 'add', { key: 'count' }, ANY], ['b', 'value', {}, ANY], see('z')],
      's>a a>b b>a?count<5 b>z?count>=5',
    ),
    status: 'completed',
    values: { count: 5 },
    executions: { a: 5, z: 1 },
  },
  {
    name: 'batch',
    blueprint: flow(
      'batch',
      [
        ['a', 'value', { value: [10, 20, 30] }],
        [
          'scatter',
          'batch-scatter',
          { workerUsesKey: 'double', outputKey: 'doubled', gatherNodeId: 'gather' },
          { inputs: 'a' },
        ],
        [
          'gather',
          'batch-gather',
          { outputKey: 'doubled', gatherNodeId: 'gather' },
          { config: { joinStrategy: 'all' } },
        ],
        ['z', 'sum', {}, { inputs: 'doubled' }],
      ],
      'a>scatter scatter>gather gather>z',
    ),
    status: 'completed',
    values: { doubled: [20, 40, 60], z: 120 },
  },
  {
    name: 'subflow',
    blueprint: flow(
      'subflow',
      [
        value('a'),
        ['sub', 'subflow', { blueprintId: 'subflow-inner', inputs: { x: 'a' }, outputs: { y: 'two' } }],
        see('z', { inputs: 'y' }),
      ],
      'a>sub sub>z',
    ),
    others: [flow('subflow-inner', [['one', 'value', {}, { inputs: 'x' }], see('two')], 'one>two')],
    status: 'completed',
    values: { y: 'saw "a"' },
  },
  {
    name: 'results of almost 3 MB',
    blueprint: flow(
      'big-result',
      [
        value('s'),
        ...['p', 'q', 'r', 't'].map((letter): Node => [letter, 'big', { letter }]),
        ['z', 'lengths', {}, { inputs: { p: 'p', q: 'q', r: 'r', t: 't' } }],
      ],
      's>p s>q s>r s>t p>z q>z r>z t>z',
    ),
    status: 'completed',
    values: { z: [700_000, 700_000, 700_000, 700_000] },
    executions: { z: 1 },
  },
];
