import { ArgumentInvalidError } from '../core/errors.js';
import type { DeadBounds, RawMessage } from '../ports/job-queue.js';

/** The offset of each partition from which to read on. */
export type Positions = ReadonlyMap<number, bigint>;

export function idOf({ partition, offset }: RawMessage): string {
  return `${partition}:${offset}`;
}

export function placeOf(id: string): { partition: number; offset: bigint } {
  const [partition = '', offset = ''] = id.split(':');
  return { partition: Number(partition), offset: BigInt(offset) };
}

export function isAtEnd(bounds: readonly DeadBounds[], positions: Positions): boolean {
  return bounds.every(({ partition, first, next }) => max(positions.get(partition) ?? first, first) >= next);
}

export function cursorOf(positions: Positions): string {
  return [...positions].map(([partition, offset]) => `${partition}:${offset}`).join(',');
}

/** @throws ArgumentInvalidError */
export function positionsOf(cursor: string): Positions {
  const parts = cursor.split(',');
  if (!parts.every((part) => /^\d{1,9}:\d{1,18}$/.test(part)))
    throw new ArgumentInvalidError('deadLetters.list()', [
      { path: 'cursor', message: 'must be the cursor of an earlier page, unchanged' },
    ]);
  return new Map(parts.map(placeOf).map(({ partition, offset }) => [partition, offset]));
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
