import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { flawOf, readEntries } from '../../../src/core/flaws.js';

const unreadable = () =>
  Object.defineProperty({}, 'x', {
    enumerable: true,
    get: () => {
      throw new Error('no way');
    },
  }) as Record<string, unknown>;

describe('the flaw of a value', () => {
  it('is none where JSON carries it', () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => expect(flawOf(value, 20)).toBeUndefined()));
  });

  it('is named by the keys that lead to it', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = [circle];
    expect(flawOf({ a: [1, { b: 5n }] }, 10)).toEqual({ path: 'a.1.b', why: 'is a BigInt' });
    expect(flawOf(5n, 10)).toEqual({ path: '', why: 'is a BigInt' });
    expect(flawOf(circle, 10)).toEqual({ path: 'self.0', why: 'holds itself' });
    expect(flawOf({ a: unreadable() }, 10)).toEqual({ path: 'a.x', why: "can't be read (no way)" });
    expect(flawOf({ a: { b: { c: {} } } }, 3)).toEqual({ path: 'a.b.c', why: 'is nested deeper than 3 levels' });
  });

  it('is what no serializer can carry, if there is such a part', () => {
    expect(flawOf({ first: 5n, then: unreadable() }, 10)).toMatchObject({ path: 'then.x' });
  });

  it('is no object that is held twice', () => {
    const twice = { a: 1 };
    expect(flawOf([twice, twice], 10)).toBeUndefined();
  });
});

describe('the entries of an object', () => {
  it('are its own values under their names', () => {
    expect(readEntries({ a: 1, b: undefined }, 'It')).toEqual([
      ['a', 1],
      ['b', undefined],
    ]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['getter', unreadable(), "its 'x' can't be read (no way)"],
    [
      'proxy',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new TypeError('closed');
          },
        },
      ),
      "it can't be read (closed)",
    ],
  ])('that a %s refuses are named in an error with a code', (_, value, words) => {
    const reading = expect(() => readEntries(value, 'The thing', { runId: 'r' }));
    reading.toThrow(`The thing cannot be serialized: ${words}.`);
    reading.toThrow(expect.objectContaining({ code: 'FLOW_VALUE_NOT_SERIALIZABLE', runId: 'r' }));
  });
});
