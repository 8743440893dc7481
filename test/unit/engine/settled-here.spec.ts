import { beforeEach, describe, expect, it } from '@jest/globals';
import type { TurnRecord } from '../../../src/core/run.js';
import type { ActiveRun } from '../../../src/engine/active-run.js';
import { SettledHere } from '../../../src/engine/settled-here.js';
import { turnRecord } from '../../support/turn-records.js';

const planned = new Set(['a', 'b', 'c', ...Array.from({ length: 20_001 }, (_, i) => `n${i}`)]);
const run = (fields: { retries?: number } = {}, runId = 'r') =>
  ({ runId, record: fields, plan: { nodes: planned } }) as unknown as ActiveRun;
const giving = (nodeId: string, fields: Partial<TurnRecord> = {}) =>
  turnRecord(nodeId, { output: '1', gives: [`_outputs.${nodeId}`], ...fields });

describe('turns that settled in this process', () => {
  let settled: SettledHere;
  beforeEach(() => {
    settled = new SettledHere();
  });

  it('are all turns of a run if it has had so many', () => {
    settled.note(run(), giving('a'));
    settled.note(run(), giving('b'));
    settled.note(run(), giving('b', { token: 2 })); // its settle was repeated
    expect(settled.all('r', 2)?.map(({ nodeId, token }) => [nodeId, token])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(settled.all('r', 3)).toBeUndefined();
    expect(settled.all('other', 0)).toBeUndefined();
  });

  it.each<[string, TurnRecord]>([
    ['waited', giving('b', { status: 'awaiting' })],
    ['failed', giving('b', { status: 'failed' })],
    ['added nodes', giving('b', { dynamicNodes: [{ id: 'x', uses: 'y' }] })],
    ['began a batch', giving('b', { batch: { id: 'b1', uses: 'w', items: 3 } as TurnRecord['batch'] & object })],
    ['was added to the run and has no output', turnRecord('added')],
    ['has a large output', giving('b', { output: 'x'.repeat(20_000) })],
  ])('do not tell what the run holds if one of them %s', (_what, row) => {
    settled.note(run(), giving('a'));
    settled.note(run(), row);
    settled.note(run(), giving('c'));
    for (const turns of [1, 2, 3]) expect(settled.all('r', turns)).toBeUndefined();
  });

  it('do not tell what a run holds that was opened again', () => {
    settled.note(run({ retries: 1 }), giving('a'));
    expect(settled.all('r', 1)).toBeUndefined();
  });

  it('are at most so many: those of the run that moved longest ago are dropped first', () => {
    const [first, second, third] = ['r1', 'r2', 'r3'].map((runId) => run({}, runId));
    for (let i = 0; i < 10_000; i++) for (const one of [first, second]) if (one) settled.note(one, giving(`n${i}`));
    if (third) settled.note(third, giving('a'));
    expect(settled.all('r1', 10_000)).toBeUndefined();
    expect(settled.all('r2', 10_000)).toHaveLength(10_000);
    expect(settled.all('r3', 1)).toHaveLength(1);
  });

  it('are kept of small runs only, and forgotten with their run', () => {
    for (let i = 0; i < 20_001; i++) settled.note(run(), giving(`n${i}`));
    expect(settled.all('r', 20_001)).toBeUndefined();
    settled.forget('r');
    settled.note(run(), giving('a'));
    expect(settled.all('r', 1)).toHaveLength(1);
  });
});
