import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeFunction, WorkflowBlueprint } from 'flowcraft';
import { startApp, type TestApp } from '../../support/nest-app.js';

const scatter = (uses: string, inputs: string, more: Record<string, unknown> = {}) => ({
  id: 's',
  uses: 'batch-scatter',
  inputs,
  params: { workerUsesKey: uses, gatherNodeId: 'g', outputKey: 'out', ...more },
});
const gather = {
  id: 'g',
  uses: 'batch-gather',
  params: { gatherNodeId: 'g', outputKey: 'out' },
  config: { joinStrategy: 'all' as const },
};
const edge = (source: string, target: string, action?: string) => ({
  source,
  target,
  ...(action === undefined ? {} : { action }),
});
const batch = (id: string, uses: string, more: Record<string, unknown> = {}): WorkflowBlueprint => ({
  id,
  nodes: [scatter(uses, 'items', more), gather, { id: 'z', uses: 'sum', inputs: 'out' }],
  edges: [edge('s', 'g'), edge('g', 'z')],
});
/** Each pass of the loop scatters what the node before it has made. */
const looped: WorkflowBlueprint = {
  id: 'looped',
  nodes: [
    { id: 'l', uses: 'loop-controller', params: { condition: 'again' }, config: { joinStrategy: 'any' } },
    { id: 'n', uses: 'next' },
    scatter('double', 'n'),
    gather,
    { id: 'note', uses: 'note', inputs: 'out' },
  ],
  edges: [edge('l', 'n', 'continue'), edge('n', 's'), edge('s', 'g'), edge('g', 'note'), edge('note', 'l')],
};
/** A node that adds the same nodes in each pass. */
const dynamic: WorkflowBlueprint = {
  id: 'dynamic',
  nodes: [
    { id: 'l', uses: 'loop-controller', params: { condition: 'again' }, config: { joinStrategy: 'any' } },
    { id: 'n', uses: 'next' },
    { id: 'spawn', uses: 'spawn', inputs: 'n', params: { gather: 'g' } },
    { id: 'g', uses: 'sumOf', inputs: { a: 'd0', b: 'd1' } },
    { id: 'note', uses: 'note', inputs: 'g' },
  ],
  edges: [edge('l', 'n', 'continue'), edge('n', 'spawn'), edge('spawn', 'g'), edge('g', 'note'), edge('note', 'l')],
};
const free: WorkflowBlueprint = {
  id: 'free',
  nodes: [
    { id: 'spawn', uses: 'spawn', inputs: 'items' },
    { id: 'z', uses: 'sum', inputs: 'items' },
  ],
  edges: [edge('spawn', 'z')],
};
const ever: WorkflowBlueprint = { id: 'ever', nodes: [{ id: 'a', uses: 'spawnsItself' }], edges: [] };
const two: WorkflowBlueprint = {
  id: 'two',
  nodes: [scatter('double', 'items'), { ...scatter('double', 'others'), id: 't' }, gather],
  edges: [edge('s', 'g'), edge('t', 'g')],
};
const nested: WorkflowBlueprint = {
  id: 'nested',
  nodes: [scatter('inner', 'items'), gather, { id: 'h', uses: 'sumOf', inputs: { a: 'in-1', b: 'in-2' } }],
  edges: [edge('s', 'g')],
};

describe('a batch', () => {
  let test: TestApp;
  let log: string[];
  let open: number;
  let mostOpen: number;
  let keys: string[];

  beforeEach(async () => {
    [log, open, mostOpen, keys] = [[], 0, 0, []];
    const registry: Record<string, NodeFunction> = {
      double: async ({ input }) => ({ output: Number(input) * 2 }),
      logged: async ({ input }) => {
        mostOpen = Math.max(mostOpen, ++open);
        await new Promise((resolve) => setTimeout(resolve, 5 * (Number(input) % 3)));
        log.push(String(input));
        open--;
        return { output: input };
      },
      breaks: async ({ input }) => {
        log.push(String(input));
        if (input === 2) throw new Error('two');
        return { output: input };
      },
      odd: async ({ input }) => (Number(input) % 2 ? { output: input } : {}),
      sum: async ({ input }) => ({ output: (input as number[]).reduce((a, b) => a + b, 0) }),
      sumOf: async ({ input }) => ({
        output: Object.values(input as Record<string, number>).reduce((a, b) => a + b, 0),
      }),
      next: async ({ context }) => {
        const pass = Number((await context.get('pass')) ?? 0) + 1;
        await context.set('pass', pass);
        await context.set('again', pass < 3);
        return { output: Array.from({ length: 4 - pass }, (_, i) => pass * 10 + i) };
      },
      note: async ({ context, input }) => {
        const notes = ((await context.get('notes')) ?? []) as unknown[];
        await context.set('notes', [...notes, input]);
        return {};
      },
      spawn: async ({ input, params }) => {
        const dynamicNodes = (input as number[])
          .slice(0, 2)
          .map((n, i) => ({ id: `d${i}`, uses: 'value', params: { value: n } }));
        const { gather: gatherNodeId } = params as { gather?: string };
        return { output: gatherNodeId === undefined ? {} : { gatherNodeId }, dynamicNodes };
      },
      value: async ({ params }) => ({ output: (params as { value: number }).value }),
      spawnsItself: async ({ context }) => {
        const n = Number((await context.get('n')) ?? 0) + 1;
        await context.set('n', n);
        return { output: n, dynamicNodes: [{ id: `a${n}`, uses: 'spawnsItself' }] };
      },
      inner: async ({ input }) => ({
        output: input,
        dynamicNodes: [{ id: `in-${String(input)}`, uses: 'value', params: { value: Number(input) * 100 } }],
      }),
    };
    const blueprints = [
      batch('plain', 'double'),
      batch('chunked', 'logged', { chunkSize: 3 }),
      batch('broken', 'breaks', { chunkSize: 2 }),
      batch('unbroken', 'breaks'),
      batch('sparse', 'odd'),
      batch('bad', 'double', { chunkSize: 0 }),
      looped,
      dynamic,
      free,
      ever,
      two,
      nested,
    ];
    test = await startApp({
      runtime: {
        registry,
        blueprints: Object.fromEntries(blueprints.map((b) => [b.id, b])),
        eventBus: { emit: (event) => void (event.type === 'context:change' && keys.push(event.payload.key)) },
      },
      limits: { maxTurnsPerRun: 200 },
    });
  });
  afterEach(() => test.app.close());

  it('gathers the results in the order of the items', async () => {
    const { result } = await test.run('plain', { items: [3, 1, 2] });
    expect(result?.context).toMatchObject({ out: [6, 2, 4], z: 12, s_currentIndex: 3, g_hasMore: false });
  });

  it('tells the event bus of no key that is its own', async () => {
    await test.run('plain', { items: [1, 2] });
    expect(keys).toContain('s_currentIndex');
    expect(keys.filter((key) => key.startsWith('\u0001'))).toEqual([]);
  });

  it('of nothing goes on at once', async () => {
    const { status, result } = await test.run('plain', { items: [] });
    expect(status).toBe('completed');
    expect(result?.context).toMatchObject({ out: [], z: 0 });
  });

  it('leaves out items that gave no output', async () => {
    const { result } = await test.run('sparse', { items: [1, 2, 3] });
    expect(result?.context).toMatchObject({ out: [1, 3] });
  });

  it('in chunks begins a chunk when the one before it has completed, and gathers all of them', async () => {
    const items = Array.from({ length: 10 }, (_, i) => i);
    const { status, result } = await test.run('chunked', { items });
    expect(status).toBe('completed');
    expect(result?.context).toMatchObject({ out: items, z: 45 });
    expect(mostOpen).toBeLessThanOrEqual(3);
    const chunks = [0, 3, 6, 9].map((from) => log.slice(from, from + 3).sort());
    expect(chunks).toEqual([['0', '1', '2'], ['3', '4', '5'], ['6', '7', '8'], ['9']]);
  });

  it('with a failed item is never gathered: the run fails, and no further chunk begins', async () => {
    const broken = await test.run('broken', { items: [1, 2, 3, 4] });
    expect(broken.status).toBe('failed');
    expect(broken.errors).toEqual([expect.objectContaining({ cause: { name: 'Error', message: 'two' } })]);
    expect(broken.result?.context).not.toHaveProperty('out');
    expect(log.sort()).toEqual(['1', '2']);
    log.length = 0;
    const unbroken = await test.run('unbroken', { items: [1, 2, 3, 4] });
    expect(unbroken.status).toBe('failed');
    expect(log.sort()).toEqual(['1', '2', '3', '4']);
  });

  it('with a chunk size that is none fails and says so', async () => {
    const { status, errors } = await test.run('bad', { items: [1] });
    expect(status).toBe('failed');
    expect(errors?.[0]?.cause?.message).toContain('chunkSize');
  });

  it('in a loop has the items of each pass', async () => {
    const { status, result } = await test.run('looped', { again: true });
    expect(status).toBe('completed');
    expect(result?.context).toMatchObject({ notes: [[20, 22, 24], [40, 42], [60]] });
  });

  it('has worker ids that follow from run, scatter and turn', async () => {
    const { runId } = await test.client.start('plain', { items: [1, 2] });
    await test.client.waitForWorkflow(runId);
    const context = await test.client.getContext(runId);
    const ids = context['g_allWorkerIds'] as string[];
    expect(ids).toEqual([
      expect.stringMatching(/^double_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_0$/),
      expect.stringMatching(/_1$/),
    ]);
    expect((await test.client.getRun(runId)).nodes.map((n) => n.nodeId)).toEqual(expect.arrayContaining(ids));
  });

  it('of two scatters is gathered from both', async () => {
    const { result } = await test.run('two', { items: [1, 2], others: [3] });
    expect(result?.context).toMatchObject({ out: [2, 4, 6] });
  });

  it('may have workers that add nodes themselves', async () => {
    const { status, result } = await test.run('nested', { items: [1, 2] });
    expect(status).toBe('completed');
    expect(result?.context).toMatchObject({ out: [1, 2], 'in-1': 100, 'in-2': 200 });
  });

  it('of more items than are open at a time, and than a run may have turns, has them all', async () => {
    const items = Array.from({ length: 1_500 }, (_, i) => i);
    const { status, result } = await test.run('plain', { items });
    expect(status).toBe('completed');
    expect(result?.context['out']).toEqual(items.map((i) => i * 2));
  });

  describe('of nodes that a node adds', () => {
    it('in a loop runs anew in each pass', async () => {
      const { status, result } = await test.run('dynamic', { again: true });
      expect(status).toBe('completed');
      expect(result?.context).toMatchObject({ notes: [21, 41, 30 + 21], d0: 30 });
    });

    it('without a gather runs beside what follows', async () => {
      const { status, result } = await test.run('free', { items: [5, 6] });
      expect(status).toBe('completed');
      expect(result?.context).toMatchObject({ d0: 5, d1: 6, z: 11 });
    });

    it('that add nodes for ever ends', async () => {
      const outcome = await test.run('ever');
      expect(outcome).toMatchObject({ status: 'failed' });
      expect(outcome.reason).toContain('200');
    });
  });
});
