import { ValueNotSerializableError, type Flaw, type FlowcraftKafkaErrorOptions } from './errors.js';

/** A value with more parts is not searched to its end: it is only searched after something else went wrong. */
const MOST_PARTS = 1_000_000;
const SHOWN_KEYS = 6;

/**
 * What keeps a value from being JSON data of so many levels: a part that can't be read before all else, since no
 * serializer can carry that. Undefined if there is nothing.
 */
export function flawOf(value: unknown, maxDepth: number): Flaw | undefined {
  let first: Flaw | undefined;
  let parts = 0;
  const around = new Set<unknown>();
  /** Answers what can't be read. */
  const search = (part: unknown, path: readonly string[]): Flaw | undefined => {
    if (typeof part === 'bigint') first ??= { path: shown(path), why: 'is a BigInt' };
    if (typeof part !== 'object' || part === null || ++parts > MOST_PARTS) return undefined;
    if (around.has(part)) {
      first ??= { path: shown(path), why: 'holds itself' };
      return undefined;
    }
    if (path.length >= maxDepth) {
      first ??= { path: shown(path), why: `is nested deeper than ${maxDepth} levels` };
      return undefined;
    }
    const keys = read(() => Object.keys(part));
    if ('error' in keys) return unreadable(path, keys.error);
    around.add(part);
    for (const key of keys.value) {
      const inner = read(() => (part as Record<string, unknown>)[key]);
      const found = 'error' in inner ? unreadable([...path, key], inner.error) : search(inner.value, [...path, key]);
      if (found) return found;
    }
    around.delete(part);
    return undefined;
  };
  return search(value, []) ?? first;
}

/**
 * The values of an object under their names.
 * @param what names the object in errors, as in "The initial context"
 * @throws ValueNotSerializableError if one can't be read: a getter or a proxy may throw
 */
export function readEntries(
  of: Readonly<Record<string, unknown>>,
  what: string,
  options?: FlowcraftKafkaErrorOptions,
): [string, unknown][] {
  const refusal = (path: readonly string[], cause: unknown) =>
    new ValueNotSerializableError(what, { ...options, cause }, unreadable(path, cause));
  const keys = read(() => Object.keys(of));
  if ('error' in keys) throw refusal([], keys.error);
  return keys.value.map((key) => {
    const value = read(() => of[key]);
    if ('error' in value) throw refusal([key], value.error);
    return [key, value.value];
  });
}

function read<T>(from: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: from() };
  } catch (error) {
    return { error };
  }
}

function unreadable(path: readonly string[], error: unknown): Flaw {
  return { path: shown(path), why: `can't be read (${error instanceof Error ? error.message : typeof error})` };
}

function shown(path: readonly string[]): string {
  return path.length > SHOWN_KEYS ? `${path.slice(0, SHOWN_KEYS).join('.')}...` : path.join('.');
}
