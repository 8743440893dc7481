import { describe, expect, it } from '@jest/globals';
import { planBlueprint } from '../../../src/core/plan.js';
import { settlementOf } from '../../../src/core/settlement.js';
import { blueprint, SHAPES } from '../../support/blueprints.js';
import { turnRecord } from '../../support/turn-records.js';

describe('what the ledger is told', () => {
  it('names every target, taken or not, with the node as arrival', () => {
    const plan = planBlueprint(SHAPES.choice);
    const { targets, outcome } = settlementOf(plan, turnRecord('a', { taken: ['c'] }));
    expect(outcome).toBe('completed');
    expect(targets.map((t) => [t.node, t.taken, t.arrivals])).toEqual([
      ['b', false, [{ from: 'a', passes: [] }]],
      ['c', true, [{ from: 'a', passes: [] }]],
    ]);
  });

  it('depends on nothing but the plan and the row', () => {
    for (const shape of Object.values(SHAPES)) {
      const plan = planBlueprint(shape);
      for (const [id, node] of plan.nodes) {
        const row = turnRecord(id, { taken: node.targets, passes: node.loops.map(() => '1') });
        expect(settlementOf(planBlueprint(shape), structuredClone(row))).toEqual(settlementOf(plan, row));
      }
    }
  });

  it('has a size that depends on the edges of the node and not on those of the graph', () => {
    const edges = Array.from({ length: 500 }, (_, i) => `n${i}>n${i + 1}`).join(' ');
    const plan = planBlueprint(blueprint('long', edges));
    expect(JSON.stringify(settlementOf(plan, turnRecord('n250', { taken: ['n251'] }))).length).toBeLessThan(400);
  });

  it('says the pass of a controller itself, which may be an earlier one when it is repeated', () => {
    const plan = planBlueprint(SHAPES.loop);
    const { targets, opensPasses } = settlementOf(plan, turnRecord('l', { turn: '3', taken: ['x'] }));
    expect(targets.find((t) => t.node === 'x')?.passes).toEqual([['l', '3']]);
    expect(targets.find((t) => t.node === 'end')?.passes).toEqual([]);
    expect(opensPasses).toBe(true);
  });

  it('of a failure without rescue says nothing to the targets', () => {
    const plan = planBlueprint(SHAPES.diamond);
    expect(settlementOf(plan, turnRecord('b', { status: 'failed' }))).toMatchObject({ outcome: 'failed', targets: [] });
  });

  it('of a rescue names the fallback only, and what to tell if that has settled before', () => {
    const plan = planBlueprint(SHAPES.shared);
    const settlement = settlementOf(plan, turnRecord('b', { status: 'failed', rescuer: 'f' }));
    expect(settlement).toMatchObject({ outcome: 'rescued', rescuedPasses: [] });
    expect(settlement.targets.map((t) => [t.node, t.when, t.taken])).toEqual([['f', 'once', true]]);
    expect(settlement.late?.rescuer).toBe('f');
    expect(settlement.late?.targets.map((t) => t.node)).toEqual(['d']);
  });

  it('of a wait is nothing but the wait', () => {
    const plan = planBlueprint(SHAPES.chain);
    expect(settlementOf(plan, turnRecord('a', { status: 'awaiting' }))).toEqual({
      node: 'a',
      turn: '1',
      outcome: 'awaiting',
      targets: [],
      dynamic: [],
    });
  });

  it('of a dynamic node names its gatherer, unless it failed', () => {
    const plan = planBlueprint(SHAPES.batch);
    const origin = { creator: 's', creatorTurn: '1', gather: 'g' };
    expect(settlementOf(plan, turnRecord('s:0'), origin).targets).toMatchObject([
      { node: 'g', gathers: true, taken: true },
    ]);
    expect(settlementOf(plan, turnRecord('s:0', { status: 'failed' }), origin).targets).toEqual([]);
    expect(settlementOf(plan, turnRecord('s:0')).targets).toEqual([]);
    expect(settlementOf(plan, turnRecord('s:0'), { ...origin, gather: 'nobody' }).targets).toEqual([]);
  });
});
