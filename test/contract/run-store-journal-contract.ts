import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { TurnRecord } from '../../src/core/run.js';
import type { RunStore, StoredValue, ValueWrite } from '../../src/ports/run-store.js';
import { turnRecord } from '../support/turn-records.js';
import { stamp } from './run-store-bench.js';

/** The journal and the context: one settled turn is one write, and the higher stamp holds. */
export function journalContract(store: () => RunStore): void {
  const newRun = () => `run-${randomUUID()}`;
  const write = (runId: string, record: TurnRecord, values: ValueWrite[] = []) =>
    store().write({ runId, record, values });
  const byKey = (values: StoredValue[]) => [...values].sort((a, b) => (a.key < b.key ? -1 : 1));

  describe('the journal', () => {
    it('answers every field of a turn as it was written', async () => {
      const runId = newRun();
      const full: TurnRecord = {
        nodeId: 'b',
        turn: '1.2/3',
        token: stamp(7),
        status: 'completed',
        passes: ['1', 'x#3'],
        output: '{"v":"größer ✓"}',
        action: 'next',
        taken: ['c', 'd'],
        dynamicNodes: [{ id: 'b:1', uses: 'step', params: { deep: { list: [1, 'two', null] } }, inputs: { x: 'y' } }],
        gather: 'g',
        writes: ['total'],
        inputsWritten: ['_inputs.c'],
        worker: 'host.1.ab',
        attempts: 2,
        claims: 3,
        startedAt: 1_700_000_000_123,
        endedAt: 1_700_000_001_456,
      };
      const failed = turnRecord('c', {
        token: stamp(8),
        status: 'failed',
        rescuer: 'f',
        error: { message: 'Node failed', isFatal: true, cause: { name: 'TypeError', message: 'x is not' } },
      });
      const awaiting = turnRecord('d', {
        token: stamp(9),
        status: 'awaiting',
        awaiting: { reason: 'timer', wakeUpAt: '2030-01-01T00:00:00.000Z' },
      });
      const batch = { id: 'b1', uses: 'w', items: 10_000, chunk: 7, window: 500 };
      const scatter = turnRecord('s', { token: stamp(11), batch, gather: 'g' });
      const bare = turnRecord('e', { token: stamp(10), status: 'failed', error: { message: 'm', isFatal: false } });
      for (const record of [full, failed, awaiting, bare, scatter]) await write(runId, record);
      for (const record of [full, failed, awaiting, bare, scatter])
        expect(await store().turn(runId, record.nodeId, record.turn)).toEqual(record);
      const rows = await store().turns(runId);
      expect(rows.sort((a, b) => a.token - b.token)).toEqual([full, failed, awaiting, bare, scatter]);
    });

    it('leaves out the outputs if they are not asked for', async () => {
      const runId = newRun();
      await write(runId, turnRecord('a', { output: '"large"', action: 'go' }));
      expect(await store().turns(runId, false)).toEqual([turnRecord('a', { action: 'go' })]);
    });

    it('knows nothing of turns that nobody wrote', async () => {
      const runId = newRun();
      expect(await store().turn(runId, 'a', '1')).toBeUndefined();
      expect(await store().turns(runId)).toEqual([]);
      await write(runId, turnRecord('a', { token: stamp() }));
      expect(await store().turn(runId, 'a', '2')).toBeUndefined();
    });

    it('keeps the turns of a node apart', async () => {
      const runId = newRun();
      for (const turn of ['1', '2', '10'])
        await write(runId, turnRecord('a', { turn, token: stamp(), output: `"${turn}"` }));
      expect((await store().turns(runId)).map((row) => row.turn).sort()).toEqual(['1', '10', '2']);
      expect((await store().turn(runId, 'a', '10'))?.output).toBe('"10"');
    });

    it('replaces a turn by one of a higher token, field by field', async () => {
      const runId = newRun();
      await write(
        runId,
        turnRecord('a', {
          token: stamp(1),
          output: '"old"',
          action: 'x',
          taken: ['b'],
          passes: ['1'],
          error: { message: 'm', isFatal: false },
        }),
      );
      const next = turnRecord('a', { token: stamp(2) });
      await write(runId, next);
      expect(await store().turn(runId, 'a', '1')).toEqual(next);
    });

    it('ignores the late write of an older token, whatever it holds', async () => {
      const runId = newRun();
      const accepted = turnRecord('a', { token: stamp(2), taken: ['b'] });
      await write(runId, accepted, [{ key: 'k', value: '"new"' }]);
      await write(runId, turnRecord('a', { token: stamp(1), output: '"old"', action: 'x', taken: ['c'] }), [
        { key: 'k', value: '"old"' },
        { key: 'only old', value: '1' },
      ]);
      expect(await store().turn(runId, 'a', '1')).toEqual(accepted);
      expect(await store().values(runId, ['k'], [])).toEqual([{ key: 'k', stamp: stamp(2), value: '"new"' }]);
    });

    it('is not changed by a repeated write', async () => {
      const runId = newRun();
      const record = turnRecord('a', { token: stamp(3), output: '1' });
      for (let i = 0; i < 3; i++) await write(runId, record, [{ key: 'k', value: '1' }]);
      expect(await store().turns(runId)).toEqual([record]);
      expect(await store().allValues(runId)).toEqual([{ key: 'k', stamp: stamp(3), value: '1' }]);
    });

    it('does not mix up runs', async () => {
      const [one, other] = [newRun(), newRun()];
      await write(one, turnRecord('a', { token: stamp() }), [{ key: 'k', value: '1' }]);
      expect(await store().turns(other)).toEqual([]);
      expect(await store().allValues(other)).toEqual([]);
    });

    it('answers outputs of the turns that have one', async () => {
      const runId = newRun();
      await write(runId, turnRecord('a', { token: stamp(), output: '"a"' }));
      await write(runId, turnRecord('a', { turn: '2', token: stamp(), output: '"a2"' }));
      await write(runId, turnRecord('b', { token: stamp() }));
      const names = [
        { nodeId: 'a', turn: '1' },
        { nodeId: 'b', turn: '1' },
        { nodeId: 'c', turn: '1' },
      ];
      expect(await store().outputs(runId, names)).toEqual([{ nodeId: 'a', turn: '1', output: '"a"' }]);
      const both = await store().outputs(runId, [
        { nodeId: 'a', turn: '2' },
        { nodeId: 'a', turn: '1' },
      ]);
      expect(both.map((o) => o.output).sort()).toEqual(['"a"', '"a2"']);
      expect(await store().outputs(runId, [])).toEqual([]);
    });
  });

  describe('the context', () => {
    it('answers the rows of the keys that were written', async () => {
      const runId = newRun();
      await write(runId, turnRecord('a', { token: stamp(1) }), [
        { key: 'plain', value: '{"v":1}' },
        { key: '_inputs.b', ref: { nodeId: 'a', turn: '1' } },
        { key: 'gone', deleted: true },
      ]);
      const expected: StoredValue[] = [
        { key: '_inputs.b', stamp: stamp(1), ref: { nodeId: 'a', turn: '1' } },
        { key: 'gone', stamp: stamp(1), deleted: true },
        { key: 'plain', stamp: stamp(1), value: '{"v":1}' },
      ];
      expect(byKey(await store().allValues(runId))).toEqual(expected);
      expect(byKey(await store().values(runId, ['plain', 'gone', '_inputs.b', 'never', 'plain'], []))).toEqual(
        expected,
      );
      expect(await store().values(runId, ['never'], [])).toEqual([]);
      expect(await store().values(runId, [], [])).toEqual([]);
    });

    it('lets the highest stamp hold, key by key, in whatever order the writes arrive', async () => {
      const runId = newRun();
      const writes = [5, 1, 4, 2, 3].map((n) =>
        write(runId, turnRecord(`n${n}`, { token: stamp(n) }), [
          { key: 'all', value: `"${n}"` },
          { key: `own ${n}`, value: `"${n}"` },
        ]),
      );
      await Promise.all(writes);
      expect(await store().values(runId, ['all'], [])).toEqual([{ key: 'all', stamp: stamp(5), value: '"5"' }]);
      expect(await store().allValues(runId)).toHaveLength(6);
    });

    it('holds what goes ahead of a turn, however much it is, under the stamp of the turn', async () => {
      const runId = newRun();
      const item = (i: number, value: string) => ({ key: `item ${String(i).padStart(5, '0')}`, value });
      const ahead = Array.from({ length: 2_500 }, (_, i) => item(i, `"${'x'.repeat(i % 3 ? 10 : 2_000)} ${i}"`));
      const record = turnRecord('s', { token: stamp(2) });
      await store().write({ runId, record, values: [{ key: 'k', value: '1' }], ahead });
      await store().write({ runId, record: { ...record, token: stamp(1) }, values: [], ahead: [item(7, '"old"')] });
      expect(await store().turn(runId, 's', '1')).toEqual(record);
      const stored = byKey(await store().allValues(runId));
      expect(stored).toHaveLength(ahead.length + 1);
      expect(stored.slice(0, -1)).toEqual(ahead.map((value) => ({ ...value, stamp: stamp(2) })));
    });

    it('reads what a row gives under its keys, where the giver is looked at', async () => {
      const runId = newRun();
      const ref = { nodeId: 'a', turn: '1' };
      const gives = ['_outputs.a', '_inputs.b', '_inputs.c'];
      await write(runId, turnRecord('a', { token: stamp(2), output: '"o"', gives }));
      await write(runId, turnRecord('z', { token: stamp(3) }), [{ key: '_inputs.b', value: '"newer"' }]);
      await write(runId, turnRecord('y', { token: stamp(1) }), [{ key: '_inputs.c', value: '"older"' }]);
      const given = (key: string) => ({ key, stamp: stamp(2), value: '"o"', ref });
      const newer = { key: '_inputs.b', stamp: stamp(3), value: '"newer"' };
      const older = { key: '_inputs.c', stamp: stamp(1), value: '"older"' };
      expect(await store().turn(runId, 'a', '1')).toMatchObject({ gives });
      expect(byKey(await store().values(runId, gives, ['a']))).toEqual([
        newer,
        given('_inputs.c'),
        given('_outputs.a'),
      ]);
      expect(await store().values(runId, ['_outputs.a'], ['a', 'z'])).toEqual([given('_outputs.a')]);
      expect(await store().values(runId, ['_outputs.a'], ['z'])).toEqual([]);
      expect(byKey(await store().allValues(runId))).toEqual([newer, given('_inputs.c'), given('_outputs.a')]);
      expect(byKey(await store().ownValues(runId))).toEqual([newer, older]);
    });

    it('knows nothing any more of what a row gave that was written anew', async () => {
      const runId = newRun();
      await write(runId, turnRecord('a', { token: stamp(1), output: '"o"', gives: ['_outputs.a', '_inputs.b'] }));
      await write(runId, turnRecord('a', { token: stamp(2), output: '"p"', gives: ['_outputs.a'] }));
      await write(runId, turnRecord('a', { token: stamp(1), output: '"o"', gives: ['_outputs.a', '_inputs.b'] }));
      expect(await store().values(runId, ['_outputs.a', '_inputs.b'], ['a'])).toMatchObject([
        { key: '_outputs.a', value: '"p"', stamp: stamp(2) },
      ]);
    });

    it('reads what many rows give, or nothing if that is too much', async () => {
      const runId = newRun();
      const ids = Array.from({ length: 130 }, (_, i) => `n${String(i).padStart(3, '0')}`);
      const rows = ids.map((id, i) =>
        turnRecord(id, { token: stamp(i), output: `"${'x'.repeat(98)}"`, gives: [`_outputs.${id}`] }),
      );
      await Promise.all(rows.map((row) => write(runId, row)));
      const keys = ids.map((id) => `_outputs.${id}`);
      const all = byKey(await store().allValues(runId));
      expect(all.map(({ key, value }) => [key, value?.length])).toEqual(keys.map((key) => [key, 100]));
      expect(byKey(await store().values(runId, keys, ids))).toEqual(all);
      expect(await store().allValues(runId, 130_000)).toHaveLength(130);
      // encrypted they are longer
      expect(await store().allValues(runId, 12_999)).toBeUndefined();
    });

    it('replaces a value by a reference, a reference by a deletion, a deletion by a value', async () => {
      const runId = newRun();
      const steps: ValueWrite[] = [
        { key: 'k', value: '1' },
        { key: 'k', ref: { nodeId: 'a', turn: '1' } },
        { key: 'k', deleted: true },
        { key: 'k', value: '2' },
      ];
      for (const [i, value] of steps.entries()) {
        await write(runId, turnRecord('a', { turn: String(i), token: stamp(i) }), [value]);
        expect(await store().values(runId, ['k'], [])).toEqual([{ ...value, stamp: stamp(i) }]);
      }
      await write(runId, turnRecord('b', { token: stamp(1) }), [{ key: 'k', deleted: true }]);
      expect(await store().values(runId, ['k'], [])).toEqual([{ key: 'k', value: '2', stamp: stamp(3) }]);
    });

    it('decides between two writes of one stamp in the same way, whichever came first', async () => {
      const runId = newRun();
      const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
      const writeAll = (value: string) =>
        write(
          runId,
          turnRecord('a', { token: stamp(1) }),
          keys.map((key) => ({ key, value })),
        );
      await writeAll('"first"');
      await writeAll('"second"');
      const decided = byKey(await store().values(runId, keys, []));
      // which one holds is the store's business, but it is not always the one that came first
      expect(decided.map(({ value }) => value)).toContain('"second"');
      await writeAll('"first"');
      expect(byKey(await store().values(runId, keys, []))).toEqual(decided);
    });

    it('never shows a turn without the values that it wrote', async () => {
      const runId = newRun();
      const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
      const writing = write(
        runId,
        turnRecord('a', { token: stamp(1) }),
        keys.map((key) => ({ key, value: '1' })),
      );
      let torn = 0;
      for (let written = false; !written;) {
        written = (await store().turn(runId, 'a', '1')) !== undefined;
        if (written) torn += keys.length - (await store().values(runId, keys, [])).length;
      }
      await writing;
      expect(torn).toBe(0);
    });

    it('carries keys and values of any text, and large ones', async () => {
      const runId = newRun();
      const large = JSON.stringify('x'.repeat(700_000));
      const values: ValueWrite[] = [
        { key: "ключ 'quoted' \n \u{1F600}", value: '"\\u0000 \u{1F600} \'"' },
        { key: '_outputs.b', value: '""' },
        { key: 'large', value: large },
      ];
      await write(runId, turnRecord('узел', { token: stamp(1), turn: 'a:b#1', output: large }), values);
      expect(byKey(await store().allValues(runId))).toEqual(byKey(values.map((v) => ({ ...v, stamp: stamp(1) }))));
      expect((await store().turn(runId, 'узел', 'a:b#1'))?.output).toBe(large);
    });

    it('writes values that no turn wrote, which are newer or older like any other', async () => {
      const runId = newRun();
      await write(runId, turnRecord('a', { token: stamp(5) }), [{ key: 'k', value: '"turn"' }]);
      await store().writeValues(runId, [{ key: 'k', value: '"late"' }], stamp(4));
      await store().writeValues(runId, [{ key: 'l', value: '"first"' }], stamp(4));
      expect(byKey(await store().allValues(runId))).toEqual([
        { key: 'k', value: '"turn"', stamp: stamp(5) },
        { key: 'l', value: '"first"', stamp: stamp(4) },
      ]);
      await store().writeValues(runId, [{ key: 'k', value: '"patched"' }], stamp(6));
      expect(await store().values(runId, ['k'], [])).toEqual([{ key: 'k', value: '"patched"', stamp: stamp(6) }]);
    });

    it('keeps what it stored apart from what was given and what it answers', async () => {
      const runId = newRun();
      const taken = ['b'];
      await write(runId, turnRecord('a', { token: stamp(1), taken }));
      taken.push('c');
      ((await store().turn(runId, 'a', '1'))?.taken as string[]).push('d');
      expect((await store().turn(runId, 'a', '1'))?.taken).toEqual(['b']);
    });
  });
}
