import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeContext } from 'flowcraft';
import { blueprint, CONTROLLER } from '../../support/blueprints.js';
import { Fleet } from '../../support/fleet.js';

const OF_VALUES = ['values', 'allValues', 'outputs', 'turns'];
const LARGE = 20_000;

describe('the values of a run', () => {
  let fleet: Fleet;
  afterEach(() => fleet.end());

  /** The outcome of a run, and which values were read for it from the store. */
  const run = async (edges: string, size = 1, specs: Parameters<typeof blueprint>[2] = {}) => {
    // each node reads what all before it have left, and adds itself
    const step = async ({ context, dependencies, input }: NodeContext) => {
      const { nodeId } = dependencies['turn'] as { nodeId: string };
      const seen = ((await context.get('seen')) as string[] | undefined) ?? [];
      await context.set('seen', [...seen, nodeId]);
      await context.set(`of ${nodeId}`, { input, first: await context.get('a') });
      if (seen.length >= 6) await context.set('more', false);
      return { output: nodeId.repeat(size) };
    };
    fleet = new Fleet({ step }, [blueprint('it', edges, specs)]);
    const reads: string[] = [];
    const { engine } = await fleet.process((call, _args, make) => {
      if (OF_VALUES.includes(call)) reads.push(call);
      return make();
    });
    await engine.worker.start();
    const { runId } = await engine.client.start('it', { more: true, seen: ['start'] }, {});
    const { status, result } = await engine.client.wait(runId, { timeoutMs: 5000 });
    expect(status).toBe('completed');
    const readsOfRun = reads.splice(0);
    // what the outcome says is what the store holds
    expect(await engine.client.context(runId)).toEqual(result?.context);
    return { context: result?.context as Record<string, unknown>, reads: readsOfRun };
  };

  it('are not read by the worker that wrote them all, while the run goes one way', async () => {
    const { context, reads } = await run('a>b b>c c>d');
    expect(context['seen']).toEqual(['start', 'a', 'b', 'c', 'd']);
    expect(context['of d']).toEqual({ input: 'c', first: 'a' });
    // the first node cannot know that nobody has written before it
    expect(reads.filter((call) => call !== 'values')).toEqual([]);
    expect(reads.length).toBeLessThanOrEqual(2);
  });

  it('hold what the last pass of a loop wrote', async () => {
    const { context, reads } = await run('a>l l>b:continue b>c c>l l>d:break', 1, {
      l: { ...CONTROLLER, params: { condition: 'more' } },
    });
    expect(context['seen']).toEqual(['start', 'a', 'b', 'c', 'b', 'c', 'b', 'c', 'd']);
    expect(reads).not.toContain('allValues');
  });

  it('are read when the run has forked, from there on', async () => {
    const { context, reads } = await run('a>b a>c b>d c>d d>e');
    expect(context).toMatchObject({ a: 'a', b: 'b', c: 'c', d: 'd', e: 'e' });
    expect(context['of e']).toEqual({ input: 'd', first: 'a' });
    expect(reads.filter((call) => call === 'allValues')).toHaveLength(1);
  });

  it('are read when they are many', async () => {
    const { context, reads } = await run('a>b b>c c>d d>e e>f', LARGE);
    expect(context['f']).toBe('f'.repeat(LARGE));
    expect(context['seen']).toEqual(['start', 'a', 'b', 'c', 'd', 'e', 'f']);
    expect(reads).toContain('allValues');
  });
});
