import { describe, expect, it } from '@jest/globals';
import { JsonSerializer, type ISerializer } from 'flowcraft';
import { ValueCodec } from '../../../src/core/value-codec.js';
import { contextJson } from '../../../src/engine/context-json.js';

/** Writes what flowcraft's own does, and can't be told from any other. */
class OtherSerializer extends JsonSerializer {}

class TaggedSerializer implements ISerializer {
  serialize(data: Record<string, unknown>): string {
    return JSON.stringify({ json: data, meta: Object.keys(data) });
  }

  deserialize(text: string): Record<string, unknown> {
    return (JSON.parse(text) as { json: Record<string, unknown> }).json;
  }
}

const VALUES: Record<string, unknown> = {
  text: 'with "quotes", \n lines and }',
  number: -1.5e-7,
  large: 1e21,
  nothing: null,
  absent: undefined,
  list: [1, [], {}, 'x', null],
  nested: { v: { v: 1 }, '10': 1, '9': 2 },
  date: new Date(0),
  empty: '',
  false: false,
  '{"v":': 'a key that needs quoting \\',
  _executionId: 'somebody wrote this',
};

function jsonWith(serializer: ISerializer, own: Record<string, unknown>): string {
  const codec = new ValueCodec(serializer, 1_000_000);
  const texts = new Map(Object.entries(VALUES).map(([key, value]) => [key, codec.encode(value, key)]));
  return contextJson(texts, own, { codec, serializer });
}

describe('the JSON of a context', () => {
  it('put together from the texts of its values is what the serializer makes of the values', () => {
    const own = { _executionId: 'run-1' };
    const fast = jsonWith(new JsonSerializer(), own);
    expect(JSON.parse(fast)).toEqual(JSON.parse(jsonWith(new OtherSerializer(), own)));
    expect(JSON.parse(fast)).toEqual(JSON.parse(JSON.stringify({ ...VALUES, ...own })));
  });

  it('is what another serializer writes for the whole context', () => {
    const json = JSON.parse(jsonWith(new TaggedSerializer(), { _executionId: 'run-1' })) as { json: unknown };
    expect(json.json).toEqual(JSON.parse(JSON.stringify({ ...VALUES, _executionId: 'run-1' })));
  });

  it('holds values that an earlier version of the application wrote with another serializer', () => {
    const serializer = new JsonSerializer();
    const codec = new ValueCodec(serializer, 1_000_000);
    const texts = new Map([
      ['spaced', '{ "v": 1 }'],
      ['foreign', '{"json":{"v":2}}'],
    ]);
    expect(contextJson(texts, {}, { codec, serializer })).toBe('{"spaced":1}');
  });
});
