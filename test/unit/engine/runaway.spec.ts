import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { WorkflowBlueprint } from 'flowcraft';
import { startApp, type TestApp } from '../../support/nest-app.js';

const ANY = { joinStrategy: 'any' as const };
const loop: WorkflowBlueprint = {
  id: 'loop',
  nodes: [
    { id: 'l', uses: 'loop-controller', params: { condition: 'on' }, config: ANY },
    { id: 'a', uses: 'step' },
    { id: 'b', uses: 'step' },
  ],
  edges: [
    { source: 'l', target: 'a', action: 'continue' },
    { source: 'a', target: 'b' },
    { source: 'b', target: 'l' },
  ],
};
const cycle: WorkflowBlueprint = {
  id: 'cycle',
  nodes: [
    { id: 's', uses: 'step' },
    { id: 'p', uses: 'step', config: ANY },
    { id: 'q', uses: 'step', config: ANY },
  ],
  edges: [
    { source: 's', target: 'p' },
    { source: 'p', target: 'q' },
    { source: 'q', target: 'p' },
  ],
};
/** Each time round makes two of one: the rounds are few, the turns are many. */
const doubling: WorkflowBlueprint = {
  id: 'doubling',
  nodes: ['s', 'p', 'q', 'r'].map((id) => ({ id, uses: 'step', config: ANY })),
  edges: ['s>p', 'p>q', 'p>r', 'q>p', 'r>p'].map((text) => {
    const [source = '', target = ''] = text.split('>');
    return { source, target };
  }),
};

describe('a run that would never end', () => {
  let test: TestApp;
  beforeEach(async () => {
    const runtime = { registry: { step: async () => ({ output: 1 }) }, blueprints: { loop, cycle, doubling } };
    test = await startApp({ runtime, limits: { maxTurnsPerRun: 100 } });
  });
  afterEach(() => test.app.close());

  it.each([
    ['loop', "in loop 'l'"],
    ['cycle', "in the cycle of 'p', 'q'"],
    ['doubling', 'in the cycle of'],
  ])('fails at the limit of turns: %s', async (id, words) => {
    const { status, reason, errors } = await test.run(id, { on: true });
    expect(status).toBe('failed');
    expect(errors?.map(({ nodeId, message, cause }) => ({ nodeId, message, cause: cause?.name }))).toEqual([
      { nodeId: /at node '([a-z])'/.exec(reason ?? '')?.[1], message: reason, cause: 'TooManyTurnsError' },
    ]);
    expect(reason).toMatch(/reached 100 turns at node '[a-z]' in /);
    expect(reason).toContain(words);
  });
});
