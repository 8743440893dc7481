import type { WorkflowBlueprint } from 'flowcraft';
import { planBlueprint } from '../../../src/core/plan.js';
import { turnAhead } from '../../../src/core/turn-ahead.js';

const n = (id: string, uses = 'x', joinStrategy?: string) => ({
  id,
  uses,
  ...(joinStrategy ? { config: { joinStrategy: joinStrategy as 'all' } } : {}),
});
const e = (source: string, target: string, action?: string) => ({ source, target, ...(action ? { action } : {}) });

/** start -> a -> b -> loop -(continue)-> a; loop -(break)-> end -> any */
const looped: WorkflowBlueprint = {
  id: 'looped',
  nodes: [n('start'), n('a', 'x', 'any'), n('b'), n('loop', 'loop-controller'), n('end'), n('any', 'x', 'any')],
  edges: [
    e('start', 'a'),
    e('a', 'b'),
    e('b', 'loop'),
    e('loop', 'a', 'continue'),
    e('loop', 'end', 'break'),
    e('end', 'any'),
  ],
};

describe('the turn in which a node will execute', () => {
  const plan = planBlueprint(looped);

  it('is the only one that it has, for a node in no loop', () => {
    expect(turnAhead(plan, 'start')).toBe('1');
    expect(turnAhead(plan, 'end', { nodeId: 'a', passes: ['3'] })).toBe('1');
  });

  it('is that of the same pass, for a node in the same loop', () => {
    expect(turnAhead(plan, 'b', { nodeId: 'a', passes: ['3'] })).toBe('3');
  });

  it.each([
    ['a loop that the asking node is not in', 'b', { nodeId: 'start', passes: [] }],
    ['a loop, when nobody in it asks', 'b', undefined],
    ['a join that runs for each arrival', 'any', undefined],
    ['a loop controller', 'loop', { nodeId: 'a', passes: ['3'] }],
    ['a node that there is not', 'nowhere', undefined],
  ])('is not known for %s', (_what, nodeId, asking) => {
    expect(turnAhead(plan, nodeId, asking)).toBeUndefined();
  });
});
