import { IllegalStateError } from '../core/errors.js';

/**
 * Stands in for an injectable that needs the servers when the module is embedded. The application starts; whoever uses
 * the stand-in is told why that cannot work. Names outside of `members` are probed by Nest and by others, and absent.
 */
export function unavailable<T extends object>(name: string, members: ReadonlySet<PropertyKey> | 'any'): T {
  const target = Object.create(null) as object;
  return new Proxy(target, {
    get: (_target, key) => {
      const isUse = members === 'any' ? typeof key === 'string' && !PROBED.has(key) : members.has(key);
      if (!isUse) return undefined;
      throw new IllegalStateError(
        `${name} is not available with embedded: true, because there are no servers. Give the module kafka, cassandra and redis, or do not use ${name} here.`,
      );
    },
  }) as T;
}

/** The methods of a class. */
export function methodsOf(type: { readonly prototype: object }): Set<PropertyKey> {
  return new Set(Reflect.ownKeys(type.prototype).filter((key) => key !== 'constructor'));
}

/** What frameworks look for on any provider. */
const PROBED = new Set([
  'then',
  'constructor',
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
  'toJSON',
  'asymmetricMatch',
  'nodeType',
  '$$typeof',
]);
