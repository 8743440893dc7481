import fc from 'fast-check';
import { lookupKeys, overlay, resolve, type ContextRow } from '../../../src/core/context-view.js';

const base = new Map([
  ['a', '{"v":"base"}'],
  ['b', '{"v":2}'],
]);
const none = new Map<string, string>();
const row = (
  key: string,
  stamp: number,
  rest: Partial<ContextRow> = { value: `{"v":"${key}@${stamp}"}` },
): ContextRow => ({
  key,
  stamp,
  ...rest,
});

describe('the keys to read for a key', () => {
  it('are its own and the output of the node that may have its name', () => {
    expect(lookupKeys('a')).toEqual(['a', '_outputs.a']);
    expect(lookupKeys('_private')).toEqual(['_private', '_outputs._private']);
  });

  it('are only its own where no node can have that name', () => {
    expect(lookupKeys('_outputs.a')).toEqual(['_outputs.a']);
    expect(lookupKeys('_inputs.a')).toEqual(['_inputs.a']);
    expect(lookupKeys('\u0001x')).toEqual(['\u0001x']);
  });
});

describe('a key of the context', () => {
  it('reads from the base when no row lies over it', () => {
    expect(resolve('a', [], base)).toEqual({ value: '{"v":"base"}' });
    expect(resolve('z', [], base)).toBeUndefined();
  });

  it('reads from its row, not from the base', () => {
    expect(resolve('a', [row('a', 1)], base)).toEqual({ value: '{"v":"a@1"}' });
  });

  it('is an alias of the output of the node with its name', () => {
    expect(resolve('a', [row('_outputs.a', 1)], base)).toEqual({ value: '{"v":"_outputs.a@1"}' });
  });

  it('holds what was written last, the key itself or the output', () => {
    expect(resolve('a', [row('a', 2), row('_outputs.a', 1)], base)).toEqual({ value: '{"v":"a@2"}' });
    expect(resolve('a', [row('a', 1), row('_outputs.a', 2)], base)).toEqual({ value: '{"v":"_outputs.a@2"}' });
  });

  it('holds what was written under its own name when both were written by the same turn, in whatever order the rows come', () => {
    const rows = [row('a', 5), row('_outputs.a', 5)];
    expect(resolve('a', rows, base)).toEqual({ value: '{"v":"a@5"}' });
    expect(resolve('a', rows.reverse(), base)).toEqual({ value: '{"v":"a@5"}' });
  });

  it('is absent once deleted, though the base has it', () => {
    expect(resolve('a', [row('a', 3, { deleted: true })], base)).toBeUndefined();
    expect(resolve('a', [row('a', 3, { deleted: true }), row('_outputs.a', 2)], base)).toBeUndefined();
  });

  it('comes back when an output is written after the deletion', () => {
    expect(resolve('a', [row('a', 3, { deleted: true }), row('_outputs.a', 4)], base)).toEqual({
      value: '{"v":"_outputs.a@4"}',
    });
  });

  it('hands a reference on to be looked up', () => {
    const ref = { nodeId: 'n', turn: '2' };
    expect(resolve('_inputs.b', [row('_inputs.b', 1, { ref })], none)).toEqual({ ref });
  });

  it('has no alias in the base', () => {
    expect(resolve('n', [], new Map([['_outputs.n', '{"v":1}']]))).toBeUndefined();
  });

  it('passes over the rows of other keys', () => {
    expect(resolve('a', [row('b', 9), row('_outputs.b', 9)], base)).toEqual({ value: '{"v":"base"}' });
  });
});

describe('the whole context', () => {
  it('is the base under the rows, with an alias for each output', () => {
    const ref = { nodeId: 'n', turn: '1' };
    const context = overlay([row('_outputs.n', 4, { ref }), row('b', 5), row('_inputs.m', 4, { ref })], base);
    expect([...context]).toEqual([
      ['a', { value: '{"v":"base"}' }],
      ['b', { value: '{"v":"b@5"}' }],
      ['_outputs.n', { ref }],
      ['n', { ref }],
      ['_inputs.m', { ref }],
    ]);
  });

  it('hides internal keys and deleted ones', () => {
    const internal = new Map([...base, ['\u0001secret', '{"v":1}']]);
    const context = overlay(
      [row('\u0001loop', 1), row('b', 2, { deleted: true }), row('_outputs.\u0001x', 1)],
      internal,
    );
    expect([...context.keys()]).toEqual(['a', '_outputs.\u0001x']);
  });

  it('makes no alias of an alias', () => {
    expect([...overlay([row('_outputs._outputs.n', 1)], none).keys()]).toEqual(['_outputs._outputs.n']);
  });

  it('agrees with the single keys, whatever was written in whatever order', () => {
    const key = fc.constantFrom(
      'a',
      'n',
      '_x',
      '_outputs.a',
      '_outputs.n',
      '_outputs._x',
      '_inputs.n',
      '_outputs._inputs.n',
    );
    const content = fc.oneof(
      fc.string().map((value) => ({ value })),
      fc.constant({ deleted: true as const }),
      fc.constant({ ref: { nodeId: 'n', turn: '1' } }),
    );
    const written = fc.uniqueArray(fc.record({ key, stamp: fc.integer({ min: 1, max: 3 }), content }), {
      selector: (r) => r.key,
    });
    fc.assert(
      fc.property(written, fc.dictionary(key, fc.string()), (rows, initial) => {
        const stored = rows.map((r) => row(r.key, r.stamp, r.content));
        const layer = new Map(Object.entries(initial));
        const whole = overlay(stored, layer);
        const keys = new Set(['a', 'n', '_x', '_inputs.n', ...layer.keys(), ...stored.map((r) => r.key)]);
        for (const k of keys) expect(whole.get(k)).toEqual(resolve(k, stored, layer));
        expect(new Set([...whole.keys()].filter((k) => !keys.has(k)))).toEqual(new Set());
      }),
    );
  });
});
