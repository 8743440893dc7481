import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { JsonSerializer, type ISerializer } from 'flowcraft';
import { ValueNotSerializableError, ValueTooLargeError } from '../../../src/core/errors.js';
import { ValueCodec } from '../../../src/core/value-codec.js';

const codec = new ValueCodec(new JsonSerializer(), 1000);

describe('a value', () => {
  it('comes back as JSON carries it', () => {
    const large = new ValueCodec(new JsonSerializer(), 1e9);
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.stringify(large.decode(large.encode(value, 'x')))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('that is undefined stays undefined', () => {
    expect(codec.decode(codec.encode(undefined, 'x'))).toBeUndefined();
  });

  it('is a fresh copy each time', () => {
    const text = codec.encode({ list: [1] }, 'x');
    const one = codec.decode(text) as { list: number[] };
    one.list.push(2);
    expect(codec.decode(text)).toEqual({ list: [1] });
  });

  it('that cannot be carried is refused by name', () => {
    const warnings = jest.spyOn(console, 'warn').mockReturnValue(undefined); // flowcraft's serializer warns of cycles
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const value of [circle, 10n, { deep: [10n] }]) {
      expect(() => codec.encode(value, "The output of node 'a'", { runId: 'r', nodeId: 'a' })).toThrow(
        ValueNotSerializableError,
      );
    }
    expect(() => codec.encode(circle, "The output of node 'a'")).toThrow(/The output of node 'a'/);
    warnings.mockRestore();
  });

  it('keeps the cause of a refusal, and whom it concerns', () => {
    const cause = new Error('no');
    const failing: ISerializer = {
      serialize: () => {
        throw cause;
      },
      deserialize: () => ({}),
    };
    try {
      new ValueCodec(failing, 10).encode(1, 'x', { runId: 'r', nodeId: 'a' });
      throw new Error('nothing was thrown');
    } catch (error) {
      expect(error).toMatchObject({ code: 'FLOW_VALUE_NOT_SERIALIZABLE', cause, runId: 'r', nodeId: 'a' });
    }
  });

  it('that is too large is refused by its bytes, not its characters', () => {
    const frame = JSON.stringify({ v: '' }).length;
    const fits = 'ä'.repeat((1000 - frame) / 2);
    expect(codec.decode(codec.encode(fits, 'x'))).toBe(fits);
    expect(() => codec.encode(`${fits}ä`, "The key 'k'")).toThrow(ValueTooLargeError);
    expect(() => codec.encode(`${fits}ä`, "The key 'k'")).toThrow(/The key 'k' has \d+ bytes/);
  });

  it('goes through the serializer that the user gave', () => {
    const reversed = (text: string) => [...text].reverse().join('');
    const own: ISerializer = {
      serialize: (data) => reversed(JSON.stringify(data)),
      deserialize: (text) => JSON.parse(reversed(text)) as Record<string, unknown>,
    };
    const other = new ValueCodec(own, 1000);
    expect(other.encode('abc', 'x')).toBe('}"cba":"v"{');
    expect(other.decode('}"cba":"v"{')).toBe('abc');
  });

  it('is refused if the serializer answers something else than text', () => {
    const odd = { serialize: () => undefined, deserialize: () => ({}) } as unknown as ISerializer;
    expect(() => new ValueCodec(odd, 10).encode(1, 'x')).toThrow(ValueNotSerializableError);
  });
});
