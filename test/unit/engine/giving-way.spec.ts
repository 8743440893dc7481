import { afterEach, describe, expect, it } from '@jest/globals';
import { UnsafeEvaluator, type WorkflowBlueprint } from 'flowcraft';
import { startApp, type TestApp } from '../../support/nest-app.js';

const edge = (source: string, target: string, action?: string) => ({
  source,
  target,
  ...(action === undefined ? {} : { action }),
});
const endless: WorkflowBlueprint = {
  id: 'endless',
  nodes: [
    { id: 'l', uses: 'loop-controller', params: { condition: 'true' }, config: { joinStrategy: 'any' } },
    { id: 'work', uses: 'work' },
    { id: 'end', uses: 'work' },
  ],
  edges: [edge('l', 'work', 'continue'), edge('work', 'l'), edge('l', 'end', 'break')],
};
const short: WorkflowBlueprint = {
  id: 'short',
  nodes: [
    { id: 'a', uses: 'work' },
    { id: 'b', uses: 'work' },
  ],
  edges: [edge('a', 'b')],
};

describe('a run that goes on and on in one worker', () => {
  let test: TestApp;
  let passes = 0;
  afterEach(() => test.app.close());

  const open = async (worker: { maxHoldMs?: number; emitDelayMs?: number }) => {
    passes = 0;
    test = await startApp({
      worker: { concurrency: 1, ...worker },
      runtime: {
        evaluator: new UnsafeEvaluator(),
        blueprints: { endless, short },
        registry: {
          work: async () => {
            passes++;
            await new Promise((resolve) => setTimeout(resolve, 10));
            return { output: 1 };
          },
        },
      },
    });
    const { runId } = await test.client.start('endless', {});
    for (let i = 0; i < 200 && passes < 3; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    return runId;
  };

  it.each([{}, { emitDelayMs: 0 }])('lets others go first once it has had its time (%j)', async (settings) => {
    const runId = await open({ maxHoldMs: 300, ...settings });
    const { runId: other } = await test.client.start('short', {});
    expect(await test.client.waitForWorkflow(other, { timeoutMs: 5_000 })).toMatchObject({ status: 'completed' });
    const before = passes;
    for (let i = 0; i < 200 && passes < before + 5; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(passes).toBeGreaterThanOrEqual(before + 5); // it goes on itself
    await test.client.cancel(runId);
  });

  it('keeps its place until then', async () => {
    const runId = await open({});
    const { runId: other } = await test.client.start('short', {});
    expect(await test.client.waitForWorkflow(other, { timeoutMs: 1_500 })).toMatchObject({ timedOut: true });
    await test.client.cancel(runId);
    expect(await test.client.waitForWorkflow(other, { timeoutMs: 5_000 })).toMatchObject({ status: 'completed' });
  });
});
