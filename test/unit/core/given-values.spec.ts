import { describe, expect, it } from '@jest/globals';
import { areApart, givenBy, givenOf, giversOf, newest, rewritten } from '../../../src/core/given-values.js';
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
const first = (nodeId: string) => ({ nodeId, turn: '1' });
const value = (key: string, stamp: number, text = '"own"') => ({ key, stamp, value: text });

describe('what a row gives', () => {
  it('is the output under its own key, and to nodes that nothing else leads to', () => {
    expect(givenOf(plan, first('a'), '1', ['_outputs.a', '_inputs.b', '_inputs.c'])).toEqual([
      '_outputs.a',
      '_inputs.b',
      '_inputs.c',
    ]);
    expect(givenOf(plan, first('b'), '1', ['_outputs.b', '_inputs.join'])).toEqual(['_outputs.b']);
    // a fallback that takes the edges of another node is no predecessor
    expect(givenOf(plan, first('c'), '1', ['_inputs.b'])).toEqual([]);
  });

  it('is no input of many targets, since each of them may have to read all of the row', () => {
    const fanOf = (width: number) => {
      const targets = Array.from({ length: width }, (_, i) => `t${i}`);
      const edges = targets.map((target) => ({ source: 's', target }));
      return planBlueprint({ id: 'fan', nodes: ['s', ...targets].map((id) => ({ id, uses: 'noop' })), edges });
    };
    const keysOf = (width: number) => ['_outputs.s', ...Array.from({ length: width }, (_, i) => `_inputs.t${i}`)];
    const given = (width: number, output: string) => givenOf(fanOf(width), first('s'), output, keysOf(width));
    expect(given(100, '1')).toEqual(keysOf(100));
    expect(given(101, '1')).toEqual(['_outputs.s']);
    const large = 'x'.repeat(513);
    expect(given(10, large)).toEqual(keysOf(10));
    expect(given(11, large)).toEqual(['_outputs.s']);
  });

  it('is nothing in loops and where batches are, whose journals grow beyond their contexts', () => {
    const nodes = [
      { id: 'a', uses: 'noop' },
      { id: 'loop', uses: 'loop-controller', params: { condition: 'more' } },
    ];
    const edges = [
      { source: 'a', target: 'loop' },
      { source: 'loop', target: 'a', action: 'continue' },
    ];
    expect(planBlueprint({ id: 'l', nodes, edges }).givers.size).toBe(0);
    const scatter = { id: 's', uses: 'batch-scatter', params: { workerUsesKey: 'noop', gatherNodeId: 'g' } };
    const gather = { id: 'g', uses: 'batch-gather' };
    const batch = { id: 'b', nodes: [scatter, gather], edges: [{ source: 's', target: 'g' }] };
    expect(planBlueprint(batch).givers.size).toBe(0);
  });

  it('comes from first turns of nodes of the blueprint only', () => {
    expect(givenOf(plan, first('a'), '1', ['_outputs.a'])).toEqual(['_outputs.a']);
    expect(givenOf(plan, { nodeId: 'a', turn: '2' }, '1', ['_outputs.a'])).toEqual([]);
    expect(givenOf(plan, first('added'), '1', ['_outputs.added'])).toEqual([]);
  });

  it('is found by the blueprint: each key that is given has its giver among those that are looked at', () => {
    expect(giversOf(plan, ['x', '_outputs.x', 'a', '_outputs.a', '_inputs.b', '_inputs.join', '_inputs.a'])).toEqual([
      'a',
    ]);
    for (const nodeId of ['a', 'b', 'c', 'join']) {
      const keys = [`_outputs.${nodeId}`, '_inputs.b', '_inputs.c', '_inputs.join'];
      for (const key of givenOf(plan, first(nodeId), '1', keys)) expect(giversOf(plan, [key])).toEqual([nodeId]);
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
    // the row was discarded since, and what it gave is kept
    expect(rewritten(turnRecord('a'), still)).toMatchObject({
      values: [
        { key: '_outputs.a', value: '"o"' },
        { key: 'x', value: '1' },
      ],
    });
    expect(rewritten(turnRecord('a'), still).values[0]).not.toHaveProperty('ref');
  });

  it('stands apart from values under other keys, but not from those that say what the same key holds', () => {
    const given = givenBy(turnRecord('a', { output: '"o"', gives: ['_outputs.a', '_inputs.b'] }));
    const own = (key: string) => [
      { key: '_inputs.join', value: '1', stamp: 1 },
      { key, value: '1', stamp: 1 },
    ];
    expect(areApart([], given)).toBe(true);
    expect(areApart(own('x'), given)).toBe(true);
    for (const key of ['_outputs.a', '_inputs.b', 'a']) expect(areApart(own(key), given)).toBe(false);
    expect(areApart(own('a'), [])).toBe(true);
  });
});
