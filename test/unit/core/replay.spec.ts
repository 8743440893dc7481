import { describe, expect, it } from '@jest/globals';
import { planBlueprint } from '../../../src/core/plan.js';
import { replayJournal, startTurns, type ReplayOptions } from '../../../src/core/replay.js';
import { SHAPES } from '../../support/blueprints.js';
import { LedgerWalk, takeAll, turnsOf } from '../../support/ledger-walk.js';
import { turnRecord } from '../../support/turn-records.js';

const NOW = 1_800_000_000_000_000;
const output = '{"v":1}';
const options: ReplayOptions = { token: NOW + 5, now: NOW, graceMs: 1000, maxTurns: 1000 };
const diamond = planBlueprint(SHAPES.diamond);

describe('a replayed ledger', () => {
  it('of an empty journal has the starts, kept for executors that may be alive', () => {
    const state = replayJournal(diamond, [], options);
    expect(turnsOf(state)).toEqual(['a@1 open']);
    const claim = (mode: 'job' | 'again', now: number) =>
      replayJournal(diamond, [], options).claim({ node: 'a', turn: '1', worker: 'w', leaseMs: 1, floor: 0, mode }, now)
        .kind;
    expect(claim('job', NOW + 999_000)).toBe('busy');
    expect(claim('again', NOW + 999_000)).toBe('granted');
    expect(claim('job', NOW + 1_000_000)).toBe('granted');
  });

  it('has what is settled under the tokens of its rows, and grants above that of the rebuild', () => {
    const state = replayJournal(diamond, [turnRecord('a', { token: NOW + 2, taken: ['b', 'c'] })], options);
    expect(turnsOf(state)).toEqual(['a@1 done', 'b@1 open', 'c@1 open']);
    expect(state.turn('a', '1')?.token).toBe(NOW + 2);
    const granted = state.claim({ node: 'b', turn: '1', worker: 'w', leaseMs: 1, floor: 0, mode: 'again' }, NOW);
    expect(granted).toMatchObject({ kind: 'granted', token: NOW + 6 });
  });

  it('keeps waits', () => {
    const state = replayJournal(diamond, [turnRecord('a', { status: 'awaiting' })], options);
    expect(state.counts()).toMatchObject({ open: 0, awaiting: 1 });
    expect(turnsOf(state)).toEqual(['a@1 waiting']);
  });

  it('has a node that pauses between attempts waiting until its pause is over, and open after that', () => {
    const paused = (at: number) =>
      turnRecord('a', { status: 'awaiting', awaiting: { reason: 'retry', wakeUpAt: new Date(at).toISOString() } });
    expect(turnsOf(replayJournal(diamond, [paused(NOW / 1000 + 1)], options))).toEqual(['a@1 waiting']);
    expect(turnsOf(replayJournal(diamond, [paused(NOW / 1000)], options))).toEqual(['a@1 open']);
  });

  it('of a delayed run waits until its time, and not once something is recorded', () => {
    const later = { ...options, startAt: NOW / 1000 + 1 };
    const delayed = replayJournal(diamond, [], later);
    expect(turnsOf(delayed)).toEqual(['a@1 waiting']);
    expect(delayed.counts()).toMatchObject({ open: 0, awaiting: 1 });
    expect(turnsOf(replayJournal(diamond, [], { ...options, startAt: NOW / 1000 }))).toEqual(['a@1 open']);
    const begun = replayJournal(diamond, [turnRecord('a', { taken: ['b', 'c'] })], later);
    expect(turnsOf(begun)).toEqual(['a@1 done', 'b@1 open', 'c@1 open']);
  });

  it('leaves out rows of turns that never became ready', () => {
    const rows = [turnRecord('d', { token: 3 }), turnRecord('b', { token: 2, taken: ['d'] }), turnRecord('nobody')];
    expect(turnsOf(replayJournal(diamond, rows, options))).toEqual(['a@1 open']);
  });

  it('has the settled turns of an any join even if they were settled in another order than they are replayed', () => {
    const plan = planBlueprint(SHAPES.any);
    const rows = [
      turnRecord('a', { token: 1, output, taken: ['b', 'c'] }),
      turnRecord('b', { token: 2, output, taken: ['d'] }),
      turnRecord('c', { token: 3, output, taken: ['d'] }),
      turnRecord('d', { turn: 'c', token: 4, output, taken: ['e'] }),
    ];
    const state = replayJournal(plan, rows, options);
    expect(turnsOf(state)).toContain('d@c done');
    expect(turnsOf(state)).toContain('d@b open');
    const turn = { node: 'd', turn: 'b', worker: 'w', leaseMs: 1, floor: 0, mode: 'again' } as const;
    expect(state.claim(turn, NOW)).toMatchObject({ kind: 'granted' });
  });

  it('can be rebuilt from its own journal again, when all rows have one token', () => {
    const walk = new LedgerWalk(planBlueprint(SHAPES.nested), ({ node, turn }, plan) =>
      plan.nodes.get(node)?.isController
        ? { taken: [/1$/.test(turn) ? (node === 'o' ? 'i' : 'x') : node === 'o' ? 'end' : 'e'] }
        : takeAll({ node, turn }, plan),
    ).finish();
    const rows = walk.journal.map((row) => ({ ...row, token: 5 }));
    expect(turnsOf(replayJournal(walk.plan, rows.reverse(), options))).toEqual(walk.turns);
  });

  it('of a thousand passes has them all', () => {
    const walk = new LedgerWalk(
      planBlueprint(SHAPES.loop),
      ({ node, turn }, plan) =>
        plan.nodes.get(node)?.isController
          ? { taken: [Number(turn) < 1000 ? 'x' : 'end'] }
          : takeAll({ node, turn }, plan),
      1e6,
    );
    // The walk looks for open turns in all of them, so it is spared: the journal is written by hand.
    const rows = Array.from({ length: 1000 }, (_, i) => String(i + 1)).flatMap((pass, i) => [
      turnRecord('l', { turn: pass, token: i * 10 + 1, output, taken: ['x'] }),
      ...['x', 'y', 'z', 'w'].map((id, j) =>
        turnRecord(id, {
          turn: pass,
          passes: [pass],
          token: i * 10 + 2 + j,
          output,
          taken: [...(walk.plan.nodes.get(id)?.targets ?? [])],
        }),
      ),
    ]);
    const all = [turnRecord('start', { token: 0, output, taken: ['l'] }), ...rows];
    const state = replayJournal(walk.plan, all, { ...options, maxTurns: 1e6 });
    expect(state.turns()).toHaveLength(all.length + 1);
  });
});

it('the starts of a plan lie before the first pass of any loop', () => {
  expect(startTurns(planBlueprint(SHAPES.loop))).toEqual([{ node: 'start', turn: '1', passes: [] }]);
});
