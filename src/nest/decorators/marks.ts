import 'reflect-metadata';
import { IllegalStateError } from '../../core/errors.js';

/** What a decorator left on a class, or on one of its members. */
export interface Mark<T> {
  readonly value: T;
  /** Absent: the class itself. */
  readonly member?: string | symbol;
}

/** Notes `value` on a class (`target` is its constructor) or on a member (`target` is the prototype). */
export function addMark<T>(key: symbol, value: T, target: object, member?: string | symbol | object): void {
  if (typeof member === 'object')
    throw new IllegalStateError(
      'The application is compiled with standard decorators, which NestJS does not know. Set experimentalDecorators and emitDecoratorMetadata to true in tsconfig.json, or use a compiler that does the same, such as SWC with decoratorMetadata.',
    );
  const type = member === undefined ? target : target.constructor;
  const marks = (Reflect.getOwnMetadata(key, type) as readonly Mark<T>[] | undefined) ?? [];
  const mark: Mark<T> = member === undefined ? { value } : { value, member };
  Reflect.defineMetadata(key, [mark, ...marks], type); // decorators apply from the last to the first
}

/**
 * The marks of a class, with those that it inherits: for the class itself and for each member, those of the nearest
 * class that has any.
 */
export function marksOf<T>(key: symbol, type: object): Mark<T>[] {
  const found = new Map<string | symbol | undefined, Mark<T>[]>();
  for (let at: object | null = type; at !== null && at !== Function.prototype; at = proto(at)) {
    const own = (Reflect.getOwnMetadata(key, at) as readonly Mark<T>[] | undefined) ?? [];
    const members = new Map<string | symbol | undefined, Mark<T>[]>();
    for (const mark of own) members.set(mark.member, [...(members.get(mark.member) ?? []), mark]);
    for (const [member, marks] of members) if (!found.has(member)) found.set(member, marks);
  }
  return [...found.values()].flat();
}

function proto(of: object): object | null {
  return Object.getPrototypeOf(of) as object | null;
}
