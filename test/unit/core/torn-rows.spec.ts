import { describe, expect, it } from '@jest/globals';
import { journalOrder } from '../../../src/core/journal-order.js';
import { planBlueprint } from '../../../src/core/plan.js';
import { restamp } from '../../../src/core/restamp.js';
import type { TurnRecord } from '../../../src/core/run.js';
import { tornRows } from '../../../src/core/torn-rows.js';
import { SHAPES } from '../../support/blueprints.js';
import { turnRecord } from '../../support/turn-records.js';

const output = '{"v":1}';
const loop = planBlueprint(SHAPES.loop);
const any = planBlueprint(SHAPES.any);
const diamond = planBlueprint(SHAPES.diamond);
const inPass = (nodeId: string, turn: string, token: number, more: Partial<TurnRecord>) =>
  turnRecord(nodeId, { turn, token, output, ...(nodeId === 'l' ? {} : { passes: [turn] }), ...more });
/** Two passes of the loop, the second up to its nodes y and z. */
const passes = (tokens: { y2: number; z2: number }) => [
  turnRecord('start', { token: 101, output, taken: ['l'] }),
  inPass('l', '1', 102, { taken: ['x'] }),
  inPass('x', '1', 103, { taken: ['y', 'z'] }),
  inPass('y', '1', 104, { taken: ['w'] }),
  inPass('z', '1', 105, { taken: ['w'] }),
  inPass('w', '1', 106, { taken: ['l'] }),
  inPass('l', '2', 107, { taken: ['x'] }),
  inPass('x', '2', 108, { taken: ['y', 'z'] }),
  inPass('y', '2', tokens.y2, { taken: ['w'] }),
  inPass('z', '2', tokens.z2, { taken: ['w'] }),
];
const cell = (key: string, stamp: number) => ({ key, value: output, stamp });
const outputsOf = (rows: readonly TurnRecord[]) => {
  const latest = new Map<string, number>();
  for (const { nodeId, token } of rows) latest.set(nodeId, Math.max(token, latest.get(nodeId) ?? 0));
  return [...latest].map(([nodeId, token]) => cell(`_outputs.${nodeId}`, token));
};
const names = (rows: Iterable<TurnRecord>) => [...rows].map(({ nodeId, turn }) => `${nodeId}@${turn}`);

describe('a row of the journal is torn', () => {
  it('if the output of an earlier pass lies above its own', () => {
    const rows = passes({ y2: 60, z2: 109 });
    expect(names(tornRows(loop, rows, outputsOf(rows)))).toEqual(['y@2']);
  });

  it('if it is late and a key that it wrote holds what another has written', () => {
    const rows = [
      turnRecord('a', { token: 101, output, taken: ['b', 'c'] }),
      turnRecord('b', { token: 60, output, writes: ['n'], taken: ['d'] }),
    ];
    expect(names(tornRows(diamond, rows, [...outputsOf(rows), cell('n', 101)]))).toEqual(['b@1']);
  });

  it('not if a later pass has overwritten it', () => {
    const rows = passes({ y2: 109, z2: 110 });
    expect(tornRows(loop, rows, outputsOf(rows))).toEqual([]);
  });

  it('not if another turn of its node has overwritten it, of which the journal does not tell that it came later', () => {
    const rows = [
      turnRecord('a', { token: 1, output, taken: ['b', 'c'] }),
      turnRecord('b', { token: 2, output, taken: ['d'] }),
      turnRecord('c', { token: 3, output, taken: ['d'] }),
      turnRecord('d', { turn: 'c', token: 4, output }),
      turnRecord('d', { turn: 'b', token: 5, output }),
    ];
    expect(tornRows(any, rows, outputsOf(rows))).toEqual([]);
    expect(journalOrder(any, rows).late.size).toBe(0);
  });

  it('not if a join has gone on from it, whichever of its predecessors came last', () => {
    for (const [y2, z2] of [
      [60, 109],
      [109, 60],
      [60, 61],
    ] as const) {
      const rows = [...passes({ y2, z2 }), inPass('w', '2', 120, {})];
      expect(tornRows(loop, rows, outputsOf(rows))).toEqual([]);
    }
  });
});

describe('a late row', () => {
  it('goes behind the one it follows, with its values, and is not late any more', () => {
    const rows = [
      turnRecord('a', { token: 101, output, taken: ['b', 'c'] }),
      turnRecord('b', { token: 60, output, taken: ['d'] }),
      turnRecord('c', { token: 102, output, taken: ['d'] }),
    ];
    const { late } = journalOrder(diamond, rows);
    expect(names(late.keys())).toEqual(['b@1']);
    const after = restamp(rows, [...outputsOf(rows), cell('left', 50)], 1000, late);
    expect(after.map(({ record, values }) => [record.nodeId, record.token, values.map(({ key }) => key)])).toEqual([
      ['a', 1000, ['_outputs.a', 'left']],
      ['b', 1001, ['_outputs.b']],
      ['c', 1002, ['_outputs.c']],
    ]);
    expect(
      journalOrder(
        diamond,
        after.map(({ record }) => record),
      ).late.size,
    ).toBe(0);
  });
});
