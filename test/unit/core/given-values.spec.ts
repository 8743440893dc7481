import { describe, expect, it } from '@jest/globals';
import { givenBy, givenOf, givesAll, giversOf, mayGive, newest, rewritten } from '../../../src/core/given-values.js';
import { planBlueprint } from '../../../src/core/plan.js';
import { turnRecord } from '../../support/turn-records.js';

const plan = planBlueprint({
  id: 'p',
  nodes: ['a', 'b', 'c', 'join'].map((id) => ({ id, uses: 'noop' })),
  edges: [
    { source: 'a', target: 'b' },
    { source: 'a', target: 'c' },
    { source: 'b', target: 'join' },
    { source: 'c', target: 'join' },
  ],
});
const value = (key: string, stamp: number, text = '"own"') => ({ key, stamp, value: text });

describe('what a row gives', () => {
  it('is the output under its own key, and to nodes that nothing else leads to', () => {
    expect(givenOf(plan, 'a', ['_outputs.a', '_inputs.b', '_inputs.c'])).toEqual([
      '_outputs.a',
      '_inputs.b',
      '_inputs.c',
    ]);
    expect(givenOf(plan, 'b', ['_outputs.b', '_inputs.join'])).toEqual(['_outputs.b']);
    // a fallback that takes the edges of another node is no predecessor
    expect(givenOf(plan, 'c', ['_inputs.b'])).toEqual([]);
  });

  it('is bounded, since who reads one of its keys reads all of the row', () => {
    const targets = Array.from({ length: 300 }, (_, i) => `t${i}`);
    const fan = planBlueprint({
      id: 'fan',
      nodes: ['s', ...targets].map((id) => ({ id, uses: 'noop' })),
      edges: targets.map((target) => ({ source: 's', target })),
    });
    expect(givenOf(fan, 's', ['_outputs.s', ...targets.map((id) => `_inputs.${id}`)])).toHaveLength(100);
  });

  it('comes from first turns of nodes of the blueprint only', () => {
    expect(mayGive(plan, { nodeId: 'a', turn: '1' })).toBe(true);
    expect(mayGive(plan, { nodeId: 'a', turn: '2' })).toBe(false);
    expect(mayGive(plan, { nodeId: 'added', turn: '1' })).toBe(false);
  });

  it('is found by the blueprint: each key that is given has its giver among those that are looked at', () => {
    expect(giversOf(plan, ['x', '_outputs.x', 'a', '_outputs.a', '_inputs.b', '_inputs.join', '_inputs.a'])).toEqual([
      'a',
    ]);
    for (const nodeId of ['a', 'b', 'c', 'join']) {
      const keys = [`_outputs.${nodeId}`, '_inputs.b', '_inputs.c', '_inputs.join'];
      for (const key of givenOf(plan, nodeId, keys)) expect(giversOf(plan, [key])).toEqual([nodeId]);
    }
  });

  it('names the turn whose output it is, and has the token of the row', () => {
    const row = turnRecord('a', { token: 7, output: '"o"', gives: ['_outputs.a'] });
    expect(givenBy(row)).toEqual([{ key: '_outputs.a', stamp: 7, value: '"o"', ref: { nodeId: 'a', turn: '1' } }]);
    expect(givenBy(turnRecord('a', { output: '"o"' }))).toEqual([]);
  });

  it('holds against older values of a key, and not against newer ones', () => {
    const given = givenBy(turnRecord('a', { token: 7, output: '"o"', gives: ['_outputs.a', '_inputs.b'] }));
    const values = [value('_outputs.a', 6), value('_inputs.b', 8), value('x', 1)];
    const found = newest(values, given).map(({ key, value: text }) => [key, text]);
    expect(Object.fromEntries(found)).toEqual({ '_outputs.a': '"o"', '_inputs.b': '"own"', x: '"own"' });
    expect(newest([value('_outputs.a', 7)], given)[0]).toEqual(value('_outputs.a', 7));
  });

  it('stays given when its row is written again, but for what others have written over', () => {
    const row = turnRecord('a', { token: 9, output: '"o"', gives: ['_outputs.a', '_inputs.b'], writes: ['x'] });
    const still = [
      { key: '_outputs.a', value: '"o"', ref: { nodeId: 'a', turn: '1' } },
      { key: 'x', value: '1' },
    ];
    const { record, values } = rewritten(row, still);
    expect(record.gives).toEqual(['_outputs.a']);
    expect(values).toEqual([{ key: 'x', value: '1' }]);
    expect(rewritten(row, []).record).not.toHaveProperty('gives');
  });

  it('is all that a turn wrote, or not', () => {
    const row = { output: '"o"', inputsWritten: ['_inputs.b'] };
    expect(givesAll(turnRecord('a', { ...row, gives: ['_outputs.a', '_inputs.b'] }))).toBe(true);
    expect(givesAll(turnRecord('a', { ...row, gives: ['_outputs.a'] }))).toBe(false);
    expect(givesAll(turnRecord('a', { ...row, gives: ['_outputs.a', '_inputs.b'], writes: ['x'] }))).toBe(false);
    expect(givesAll(turnRecord('a'))).toBe(true);
  });
});
