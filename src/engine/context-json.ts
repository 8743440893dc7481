import { JsonSerializer, type ISerializer } from 'flowcraft';
import type { ValueCodec } from '../core/value-codec.js';

/** How flowcraft's own serializer begins the text of a value, which goes in as `{ v: value }`. */
const BEGIN = '{"v":';

/** Whether what this serializer writes is the JSON of a value, so that it need not be read to become part of another. */
export function isPlainJson(serializer: ISerializer): boolean {
  return serializer.constructor === JsonSerializer;
}

/** A whole context as JSON, as the serializer writes it, from the texts of its values. `own`: stands above them. */
export function contextJson(
  texts: ReadonlyMap<string, string>,
  own: Readonly<Record<string, unknown>>,
  { codec, serializer }: { codec: ValueCodec; serializer: ISerializer },
): string {
  if (!isPlainJson(serializer)) {
    const values = [...texts].map(([key, text]) => [key, codec.decode(text)] as const);
    // for what a serializer gives out, only that it can be read as JSON is known
    return JSON.stringify(JSON.parse(serializer.serialize({ ...Object.fromEntries(values), ...own })));
  }
  const members = [...texts].flatMap(([key, text]) => {
    const json = Object.hasOwn(own, key) ? undefined : jsonOf(text, codec);
    return json === undefined ? [] : [`${JSON.stringify(key)}:${json}`];
  });
  const others = Object.entries(own).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{${[...members, ...others].join(',')}}`;
}

function jsonOf(text: string, codec: ValueCodec): string | undefined {
  return text.startsWith(BEGIN) ? text.slice(BEGIN.length, -1) : JSON.stringify(codec.decode(text));
}
