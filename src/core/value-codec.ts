import type { ISerializer } from 'flowcraft';
import { ValueNotSerializableError, ValueTooLargeError, type FlowcraftKafkaErrorOptions } from './errors.js';

/**
 * Turns single context values into text and back, with flowcraft's serializer (which knows whole contexts only: the
 * value goes in as `{ v }`). A decoded value is always a fresh copy, so no two nodes share an object, on whichever
 * worker they run.
 */
export class ValueCodec {
  constructor(
    private readonly serializer: ISerializer,
    private readonly maxValueBytes: number,
  ) {}

  /**
   * @param what names the value in errors, as in "The output of node 'a'"
   * @throws ValueNotSerializableError
   * @throws ValueTooLargeError
   */
  encode(value: unknown, what: string, options?: FlowcraftKafkaErrorOptions): string {
    let text: unknown;
    try {
      text = this.serializer.serialize({ v: value });
    } catch (cause) {
      throw new ValueNotSerializableError(what, { ...options, cause });
    }
    // flowcraft's own serializer answers a stub in place of an error
    if (typeof text !== 'string' || text.startsWith('{"_circularReference":true')) {
      throw new ValueNotSerializableError(what, options);
    }
    const bytes = Buffer.byteLength(text);
    if (bytes > this.maxValueBytes) throw new ValueTooLargeError(what, bytes, this.maxValueBytes, options);
    return text;
  }

  decode(text: string): unknown {
    return (this.serializer.deserialize(text) as { v?: unknown }).v;
  }
}
