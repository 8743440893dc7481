import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planBlueprint } from '../../../src/core/plan.js';
import { replayJournal } from '../../../src/core/replay.js';
import { LedgerWalk, turnsOf } from '../../support/ledger-walk.js';
import { acyclicBlueprints, decisions, shapedBlueprints } from '../../support/random-runs.js';

const TIMEOUT_MS = 60_000;

const runs = fc.record({
  blueprint: fc.oneof(shapedBlueprints, acyclicBlueprints),
  seed: fc.nat(),
  order: fc.infiniteStream(fc.nat(1000)),
});

describe('whatever the order in which turns settle and however often they are redelivered', () => {
  it(
    'a run has the same turns with the same outcomes',
    () => {
      fc.assert(
        fc.property(runs, fc.infiniteStream(fc.nat(1000)), ({ blueprint, seed, order }, redelivery) => {
          const plan = planBlueprint(blueprint);
          const expected = new LedgerWalk(plan, decisions(seed)).finish();
          const walk = new LedgerWalk(plan, decisions(seed));
          const draw = () => redelivery.next().value;
          walk.finish((count) => {
            for (let times = draw() % 3; times > 0; times--)
              walk.redeliver(walk.journal[draw() % Math.max(1, walk.journal.length)]);
            return order.next().value % count;
          });
          expect(walk.turns).toEqual(expected.turns);
          expect(walk.executed).toHaveLength(new Set(walk.executed).size);
          expect(walk.state.counts()).toMatchObject({ ...expected.state.counts(), token: expect.any(Number) });
        }),
        { numRuns: 400 },
      );
    },
    TIMEOUT_MS,
  );

  it(
    'a redelivery makes nothing ready that was not, and names only what is open',
    () => {
      fc.assert(
        fc.property(runs, ({ blueprint, seed, order }) => {
          const plan = planBlueprint(blueprint);
          const walk = new LedgerWalk(plan, decisions(seed));
          const redeliverAll = () => {
            const before = walk.turns;
            const open = new Set(walk.open.map(({ node, turn }) => `${node}@${turn}`));
            for (const row of walk.journal) for (const fired of walk.redeliver(row)) expect(open.has(fired)).toBe(true);
            expect(walk.turns).toEqual(before);
          };
          walk.finish((count) => {
            redeliverAll();
            return order.next().value % count;
          });
          redeliverAll();
        }),
        { numRuns: 200 },
      );
    },
    TIMEOUT_MS,
  );

  it(
    'every open turn is named by the redelivery of some settled one, or is a start',
    () => {
      fc.assert(
        fc.property(runs, fc.nat(30), ({ blueprint, seed, order }, length) => {
          const plan = planBlueprint(blueprint);
          const walk = new LedgerWalk(plan, decisions(seed));
          for (let i = 0; i < length; i++) {
            const next = walk.open[order.next().value % Math.max(1, walk.open.length)];
            if (!next) break;
            walk.settle(walk.claim(next));
          }
          const named = new Set(walk.journal.flatMap((row) => walk.redeliver(row)));
          for (const { node, turn } of walk.open) {
            if (!plan.startNodeIds.includes(node)) expect(named).toContain(`${node}@${turn}`);
          }
        }),
        { numRuns: 200 },
      );
    },
    TIMEOUT_MS,
  );
});

describe('replaying a journal', () => {
  it(
    'finds the turns of the live ledger after any settled prefix of a run, in whatever order the rows are read',
    () => {
      fc.assert(
        fc.property(runs, fc.nat(40), ({ blueprint, seed, order }, length) => {
          const plan = planBlueprint(blueprint);
          const walk = new LedgerWalk(plan, decisions(seed));
          // Claims overlap, so that the order of tokens is not the order of settling.
          const running: ReturnType<LedgerWalk['claim']>[] = [];
          for (let i = 0; i < length; i++) {
            const claimed = new Set(running.map((row) => `${row.nodeId}@${row.turn}`));
            const free = walk.open.filter((t) => !claimed.has(`${t.node}@${t.turn}`));
            const next = free[order.next().value % Math.max(1, free.length)];
            if (next) running.push(walk.claim(next));
            if (running.length > 0 && order.next().value % 2 === 0) {
              const [row] = running.splice(order.next().value % running.length, 1);
              if (row) walk.settle(row);
            }
          }
          const now = 1_800_000_000_000_000;
          const rows = [...walk.journal].sort((a, b) => ((a.token * 7919) % 101) - ((b.token * 7919) % 101));
          const rebuilt = replayJournal(plan, rows, { token: now, now, graceMs: 1000, maxTurns: 1000 });
          expect(turnsOf(rebuilt)).toEqual(walk.turns);
          // whoever executed them may be gone, with what brings them back
          const { open } = walk.state.counts();
          expect(rebuilt.counts()).toEqual({ ...walk.state.counts(), unsent: open, token: now });
        }),
        { numRuns: 400 },
      );
    },
    TIMEOUT_MS,
  );
});
