import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeFunction, WorkflowBlueprint } from 'flowcraft';
import { startApp, type TestApp } from '../../support/nest-app.js';

const SETTLED = { joinStrategy: 'settled' as 'all' };

/** One of two branches is taken, one fails: the join runs with what came. */
const review: WorkflowBlueprint = {
  id: 'review',
  nodes: [
    { id: 'a', uses: 'choose' },
    { id: 'fast', uses: 'name', params: { name: 'fast' } },
    { id: 'slow', uses: 'name', params: { name: 'slow' } },
    { id: 'broken', uses: 'fail' },
    { id: 'sum', uses: 'names', inputs: { fast: 'fast', slow: 'slow', broken: 'broken' }, config: SETTLED },
    { id: 'after', uses: 'name', params: { name: 'after' } },
  ],
  edges: [
    { source: 'a', target: 'fast', action: 'fast' },
    { source: 'a', target: 'slow', action: 'slow' },
    { source: 'a', target: 'broken', condition: 'alsoBroken', action: 'fast' },
    { source: 'fast', target: 'sum' },
    { source: 'slow', target: 'sum' },
    { source: 'broken', target: 'sum' },
    { source: 'sum', target: 'after' },
  ],
};
const waiting: WorkflowBlueprint = {
  id: 'waiting',
  nodes: [
    { id: 'a', uses: 'name', params: { name: 'a' } },
    { id: 'w', uses: 'wait' },
    { id: 'sum', uses: 'names', inputs: { a: 'a', w: 'w' }, config: SETTLED },
  ],
  edges: [
    { source: 'a', target: 'sum' },
    { source: 'w', target: 'sum' },
  ],
};
const starved: WorkflowBlueprint = {
  ...review,
  id: 'starved',
  nodes: review.nodes.map(({ config: _, ...node }) => node),
};
const partial: WorkflowBlueprint = {
  id: 'partial',
  nodes: [
    {
      id: 's',
      uses: 'batch-scatter',
      inputs: 'items',
      params: { workerUsesKey: 'odd', gatherNodeId: 'g', outputKey: 'out' },
    },
    { id: 'g', uses: 'batch-gather', params: { gatherNodeId: 'g', outputKey: 'out' }, config: SETTLED },
  ],
  edges: [{ source: 's', target: 'g' }],
};

const registry: Record<string, NodeFunction> = {
  choose: async ({ context }) => ({ output: 1, action: String(await context.get('branch')) }),
  name: async ({ params }) => ({ output: String((params as { name: string }).name) }),
  names: async ({ input }) => ({
    output: Object.values(input as Record<string, string | undefined>)
      .filter((v) => v !== undefined)
      .join(' '),
  }),
  fail: async () => {
    throw new Error('broken');
  },
  odd: async ({ input }) => {
    if (Number(input) % 2 === 0) throw new Error('even');
    return { output: input };
  },
};

describe('a settled join', () => {
  let test: TestApp;
  beforeEach(async () => {
    test = await startApp({ runtime: { registry, blueprints: { review, waiting, starved, partial } } });
  });
  afterEach(() => test.app.close());

  it('runs with the branch that was taken', async () => {
    for (const branch of ['fast', 'slow']) {
      const { status, result } = await test.run('review', { branch });
      expect(status).toBe('completed');
      expect(result?.context).toMatchObject({ sum: branch, after: 'after' });
    }
  });

  it('runs although a predecessor failed, and the run fails at its end', async () => {
    const { status, result, errors } = await test.run('review', { branch: 'fast', alsoBroken: true });
    expect(status).toBe('failed');
    expect(result?.context).toMatchObject({ sum: 'fast', after: 'after' });
    expect(errors?.map((e) => e.nodeId)).toEqual(['broken']);
  });

  it('waits for a predecessor that waits', async () => {
    const { runId } = await test.client.start('waiting');
    await test.client.waitForWorkflow(runId, { until: 'settled' });
    expect((await test.client.getRun(runId)).nodes.map((n) => n.nodeId)).not.toContain('sum');
    await test.client.resume(runId, { output: 'answer' });
    const { result } = await test.client.waitForWorkflow(runId);
    expect(result?.context).toMatchObject({ sum: 'a answer' });
  });

  it('as a gather takes what the workers that did not fail have made', async () => {
    const { status, result } = await test.run('partial', { items: [1, 2, 3, 4, 5] });
    expect(status).toBe('failed');
    expect(result?.context).toMatchObject({ out: [1, 3, 5] });
  });

  it('is what the warning about a starved join proposes', () => {
    const warnings = test.logger.lines.filter((line) => line.level === 'warn').map((line) => line.message);
    expect(warnings.filter((text) => text.includes("'settled'"))).toEqual([
      expect.stringContaining("Blueprint 'starved': the join 'sum'"),
    ]);
  });
});
