import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { resolve, type ContextRow } from '../../../src/core/context-view.js';
import { restamp } from '../../../src/core/restamp.js';
import { turnRecord } from '../../support/turn-records.js';

const FIRST = 1_000_000;

describe('rows under new tokens', () => {
  it('keep their order, and no two share a token', () => {
    const rows = [turnRecord('b', { token: 9 }), turnRecord('a', { token: 4 }), turnRecord('c', { token: 4 })];
    const restamped = restamp(rows, [], FIRST).map(({ record }) => [record.nodeId, record.token]);
    expect(restamped).toEqual([
      ['a', FIRST],
      ['c', FIRST + 1],
      ['b', FIRST + 2],
    ]);
  });

  it('take each value along once, with the row that wrote it', () => {
    const rows = [
      turnRecord('a', { token: 4, writes: ['x'] }),
      turnRecord('b', { token: 4, writes: ['y'] }),
      turnRecord('c', { token: 8 }),
    ];
    const values = [
      { key: 'y', value: '2', stamp: 4 },
      { key: 'x', value: '1', stamp: 4 },
      { key: '_outputs.c', value: '3', stamp: 8 },
    ];
    expect(restamp(rows, values, FIRST).map((r) => r.values.map((v) => v.key))).toEqual([['x'], ['y'], ['_outputs.c']]);
  });

  it('take along what an earlier row of a turn has left, older than all that came after it', () => {
    const rows = [turnRecord('w', { token: 6 }), turnRecord('z', { token: 9 })];
    const restamped = restamp(rows, [{ key: 'left', value: '1', stamp: 3 }], FIRST);
    expect(restamped.map((r) => r.values.map((v) => v.key))).toEqual([['left'], []]);
  });

  it('leave behind what such a row has left under the name of a node that has an output since', () => {
    const rows = [turnRecord('x', { token: 9, output: '{"v":1}' })];
    const values = [
      { key: 'x', value: 'left', stamp: 3 },
      { key: '_outputs.x', value: '{"v":1}', stamp: 9 },
    ];
    expect(restamp(rows, values, FIRST).map((r) => r.values.map((v) => v.key))).toEqual([['_outputs.x']]);
  });

  it('give what they gave, but for what has been written over since, and need no value for it', () => {
    const rows = [turnRecord('a', { token: 4, output: '"o"', gives: ['_outputs.a', '_inputs.b'] })];
    const values = [
      { key: '_outputs.a', value: '"o"', ref: { nodeId: 'a', turn: '1' }, stamp: 4 },
      { key: '_inputs.b', value: '"other"', stamp: 5 },
    ];
    expect(restamp(rows, values, FIRST)).toMatchObject([
      { record: { token: FIRST, gives: ['_outputs.a'] }, values: [{ key: '_inputs.b', value: '"other"' }] },
    ]);
  });

  it('leave what every key holds as it was', () => {
    const stamps = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 });
    const cells = fc.array(
      fc.record({ key: fc.constantFrom('n', '_outputs.n', 'm', '_outputs.m', 'k'), stamp: fc.nat(60) }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(stamps, cells, (tokens, found) => {
        // a value is written with a row, so that its turn has that row or a later one
        const rows = tokens.map((token, i) => turnRecord(`t${i}`, { token }));
        const highest = Math.max(...tokens);
        const values = [...new Map(found.map((cell) => [cell.key, cell])).values()]
          .filter((cell) => cell.stamp <= highest)
          .map((cell, i): ContextRow => ({ ...cell, value: String(i) }));
        const after = restamp(rows, values, FIRST).flatMap(({ record, values: own }) =>
          own.map((value): ContextRow => ({ ...value, stamp: record.token })),
        );
        expect(after).toHaveLength(values.length);
        for (const key of ['n', 'm', 'k']) {
          const winner = resolve(key, values, new Map());
          const ties = values
            .filter((v) => v.key === key || v.key === `_outputs.${key}`)
            .map((v) => slot(tokens, v.stamp));
          // two leftovers between the same rows can't be told apart any more, and no engine leaves such
          if (new Set(ties).size === ties.length) expect(resolve(key, after, new Map())).toEqual(winner);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function slot(tokens: readonly number[], stamp: number): number {
  return Math.min(...tokens.filter((token) => token >= stamp));
}
