import type { ISerializer } from 'flowcraft';
import { ValueNotSerializableError, ValueTooLargeError, type FlowcraftKafkaErrorOptions } from './errors.js';
import { isTextDeeperThan, isValueDeeperThan } from './depth.js';
import { flawOf } from './flaws.js';
import { ValueNotReadableError, ValueTooDeepError } from './limit-errors.js';

/** Far from where JSON.stringify overflows the stack (about 4000), and from where structuredClone does (about 2000). */
export const MAX_VALUE_DEPTH = 1000;

/**
 * Turns single context values into text and back, with flowcraft's serializer (which knows whole contexts only: the
 * value goes in as `{ v }`). A decoded value is always a fresh copy, so no two nodes share an object, on whichever
 * worker they run.
 */
export class ValueCodec {
  constructor(
    private readonly serializer: ISerializer,
    private readonly maxValueBytes: number,
    private readonly maxDepth: number = MAX_VALUE_DEPTH,
  ) {}

  /**
   * @param what names the value in errors, as in "The output of node 'a'"
   * @throws ValueNotSerializableError
   * @throws ValueTooLargeError
   * @throws ValueTooDeepError
   */
  encode(value: unknown, what: string, options?: FlowcraftKafkaErrorOptions): string {
    let text: unknown;
    try {
      text = this.serializer.serialize({ v: value });
    } catch (cause) {
      throw this.refusal(value, what, { ...options, cause });
    }
    // flowcraft's own serializer answers a stub in place of an error
    if (typeof text !== 'string' || text.startsWith('{"_circularReference":true')) {
      throw this.refusal(value, what, options);
    }
    // the value stands in an object
    if (isTextDeeperThan(text, this.maxDepth + 1)) throw new ValueTooDeepError(what, this.maxDepth, options);
    const bytes = Buffer.byteLength(text);
    if (bytes > this.maxValueBytes) throw new ValueTooLargeError(what, bytes, this.maxValueBytes, options);
    return text;
  }

  /** @throws ValueNotReadableError if the serializer throws */
  decode(text: string): unknown {
    try {
      return (this.serializer.deserialize(text) as { v?: unknown }).v;
    } catch (cause) {
      throw new ValueNotReadableError({ cause });
    }
  }

  /** A serializer that overflows the stack does not say so. */
  private refusal(value: unknown, what: string, options?: FlowcraftKafkaErrorOptions): Error {
    if (isValueDeeperThan(value, this.maxDepth)) return new ValueTooDeepError(what, this.maxDepth, options);
    return new ValueNotSerializableError(what, options, flawOf(value, this.maxDepth));
  }
}
