import { describe, expect, it } from '@jest/globals';
import { planBlueprint } from '../../../../src/core/plan.js';
import type { TurnRecord } from '../../../../src/core/run.js';
import { settlementOf } from '../../../../src/core/settlement.js';
import { NOT_STRAIGHT, straightOf } from '../../../../src/drivers/redis/straight-settlement.js';
import { blueprint, CONTROLLER, SETTLED, type NodeSpec } from '../../../support/blueprints.js';
import { turnRecord } from '../../../support/turn-records.js';

const of = (edges: string, row: Partial<TurnRecord>, specs: Record<string, NodeSpec> = {}) =>
  straightOf(settlementOf(planBlueprint(blueprint('it', edges, specs)), turnRecord('a', row)));

describe('the shorter way of a settle is', () => {
  it('taken where the one node after it becomes ready', () => {
    expect(of('a>b b>c', { taken: ['b'] })).toEqual(['a', 'b', '']);
  });

  it('taken where nothing comes after it', () => {
    expect(of('a>b', { nodeId: 'b' })).toEqual(['b', '', '']);
  });

  it('taken where a join hears of it', () => {
    expect(of('a>c b>c', { taken: ['c'] })).toEqual(['a', 'c', '2']);
  });

  it.each<[string, string, Partial<TurnRecord>, Record<string, NodeSpec>]>([
    ['where it forks', 'a>b a>c', { taken: ['b', 'c'] }, {}],
    ['where its edge is not taken', 'a>b:yes', { taken: [] }, {}],
    ['before a join whose edge is not taken', 'a>c:yes b>c', { taken: [] }, {}],
    ['before a join that counts a loop by itself', 'a>c l>l:continue l>c:break', { taken: ['c'] }, { l: CONTROLLER }],
    [
      'before a join that it may stand in for',
      'x>c y>c f',
      { nodeId: 'f', taken: ['c'] },
      { x: { config: { fallback: 'f' } } },
    ],
    ['before an any join', 'a>c b>c', { taken: ['c'] }, { c: { config: { joinStrategy: 'any' } } }],
    ['before a loop', 'a>l l>b:continue b>l l>c:break', { taken: ['l'] }, { l: CONTROLLER }],
    ['in a later turn', 'a>b', { taken: ['b'], turn: '2' }, {}],
    ['of a node that failed', 'a>b', { status: 'failed', taken: [] }, {}],
    ['of a node that waits', 'a>b', { status: 'awaiting', taken: [] }, {}],
    ['of a node that has waited', 'a>b', { taken: ['b'] }, { a: { uses: 'wait' } }],
    ['of a node that adds others', 'a>b', { taken: ['b'], dynamicNodes: [{ id: 'd', uses: 'step' }] }, {}],
    ['before a settled join', 'a>b b>d a>d', { nodeId: 'b', taken: ['d'] }, { d: SETTLED }],
    [
      'of a fallback, before what only the node has an edge to that it may stand in for',
      'a>c f',
      { nodeId: 'f', taken: ['c'] },
      { a: { config: { fallback: 'f' } } },
    ],
    [
      'where a settled join waits for what the node might have led to',
      'f>d a>d x y',
      { nodeId: 'x' },
      { d: SETTLED, x: { config: { fallback: 'f' } }, y: { config: { fallback: 'f' } } },
    ],
  ])('not taken %s', (_, edges, row, specs) => {
    expect(of(edges, row, specs)).toEqual(NOT_STRAIGHT);
  });

  it('not taken of a node that was added to the run, where a settled join comes later', () => {
    const { nodes, edges, id } = blueprint('it', 'a>d b>d', { d: SETTLED });
    const plan = planBlueprint({ id, nodes, edges: [...edges, { source: 'added', target: 'b' }] });
    const row = turnRecord('added', { taken: ['b'] });
    const settlement = settlementOf(plan, row, { creator: 'a', creatorTurn: '1' });
    expect(settlement).toMatchObject({ targets: [{ node: 'b', when: 'joined', taken: true, leads: [{ join: 'd' }] }] });
    expect(straightOf(settlement)).toEqual(NOT_STRAIGHT);
  });
});
