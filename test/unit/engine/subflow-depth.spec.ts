import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { WorkflowBlueprint } from 'flowcraft';
import { startApp, type TestApp } from '../../support/nest-app.js';

const MOST = 5;

/** Counts down, and starts itself while something is left. */
const counting: WorkflowBlueprint = {
  id: 'counting',
  nodes: [
    { id: 'step', uses: 'countDown' },
    { id: 'deeper', uses: 'subflow', params: { blueprintId: 'counting', inputs: { left: 'left' } } },
  ],
  edges: [{ source: 'step', target: 'deeper', condition: 'left' }],
};
const endless: WorkflowBlueprint = {
  id: 'endless',
  nodes: [
    { id: 'step', uses: 'count' },
    { id: 'again', uses: 'subflow', params: { blueprintId: 'endless' }, config: { maxRetries: 3 } },
  ],
  edges: [{ source: 'step', target: 'again' }],
};

describe('subflows within subflows', () => {
  let test: TestApp;
  let runs: number;

  beforeEach(async () => {
    runs = 0;
    test = await startApp({
      runtime: {
        registry: {
          count: async () => ({ output: ++runs }),
          countDown: async ({ context }) => {
            runs++;
            await context.set('left', Number(await context.get('left')) - 1);
            return { output: 'counted' };
          },
        },
        blueprints: { counting, endless },
      },
      limits: { maxSubflowDepth: MOST },
    });
  });
  afterEach(() => test.app.close());

  it('may lie as deep as the limit', async () => {
    const { status } = await test.run('counting', { left: MOST + 1 });
    expect({ status, runs }).toEqual({ status: 'completed', runs: MOST + 1 });
  });

  it('are not started beyond it', async () => {
    const { status } = await test.run('counting', { left: MOST + 2 });
    expect({ status, runs }).toEqual({ status: 'failed', runs: MOST + 1 });
  });

  it('that start themselves without an end fail once, with an error that names the chain', async () => {
    const { status, reason, errors } = await test.run('endless');
    expect({ status, runs }).toEqual({ status: 'failed', runs: MOST + 1 });
    expect(errors?.[0]).toMatchObject({ nodeId: 'again', cause: { name: 'SubflowTooDeepError' } });
    expect(reason).toContain(`limits.maxSubflowDepth (${MOST})`);
    expect(reason).toContain("'endless' > 'endless' > 'endless'");
  });
});
