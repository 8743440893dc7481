import { describe, expect, it } from '@jest/globals';
import { planBlueprint } from '../../../src/core/plan.js';
import type { TurnRecord } from '../../../src/core/run.js';
import { settlementOf } from '../../../src/core/settlement.js';
import { SharedSettlements } from '../../../src/core/shared-settlements.js';
import { SHAPES } from '../../support/blueprints.js';
import { turnRecord } from '../../support/turn-records.js';

const plans = Object.values(SHAPES).map((shape) => planBlueprint(shape));

/** Rows of a node that differ in one thing each. */
function rowsOf(id: string, targets: readonly string[], loops: number): TurnRecord[] {
  const row = turnRecord(id, { taken: targets, passes: Array.from({ length: loops }, () => '1') });
  const { output: _, ...bare } = row;
  const [first] = targets;
  return [
    row,
    bare,
    { ...row, output: '1' },
    { ...row, taken: [] },
    { ...row, taken: targets.slice(0, 1) },
    { ...row, taken: targets.slice(1) },
    { ...row, turn: '2' },
    { ...row, passes: row.passes.map(() => '2') },
    { ...row, action: 'continue' },
    { ...row, action: 'other' },
    { ...row, output: '1', action: 'continue' },
    { ...row, status: 'awaiting' },
    { ...row, status: 'failed' },
    ...(first === undefined
      ? []
      : [
          { ...row, status: 'failed' as const, rescuer: first },
          { ...row, gather: first },
          { ...row, gather: first, dynamicNodes: [{ id: 'added', uses: 'x' }] },
          { ...row, gather: first, batch: { id: 'b', uses: 'x', items: 3, chunk: 3, window: 2 } },
        ]),
    { ...row, rescuedAdded: ['added'] },
  ];
}

describe('settlements that many turns have in common', () => {
  it('are those of the plan and the row, whatever was asked for before', () => {
    const shared = new SharedSettlements();
    const origin = { creator: 'a', creatorTurn: '1' };
    let reused = 0;
    for (let round = 0; round < 2; round++)
      for (const plan of plans)
        for (const node of plan.nodes.values())
          for (const row of rowsOf(node.id, node.targets, node.loops.length))
            for (const from of [undefined, origin]) {
              const { settlement, isShared } = shared.of(plan, row, from);
              expect(settlement).toEqual(settlementOf(plan, row, from));
              if (isShared) reused++;
            }
    expect(reused).toBeGreaterThan(100);
  });

  it('are one object for the same node in every run, unless it stands in a loop', () => {
    const shared = new SharedSettlements();
    const plan = planBlueprint(SHAPES.choice);
    const of = (token: number) => shared.of(plan, turnRecord('a', { taken: ['c'], token }));
    expect(of(2).settlement).toBe(of(1).settlement);
    expect(shared.of(plan, turnRecord('a', { taken: ['b'] })).settlement).not.toBe(of(1).settlement);
    expect(shared.of(plan, turnRecord('a', { taken: ['c'], turn: '2' })).isShared).toBe(false);
  });
});
