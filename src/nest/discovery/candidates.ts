import type { DiscoveryService } from '@nestjs/core';

/** A provider or controller of the application. */
export interface Candidate {
  /** Absent if there is no single instance: the provider is request-scoped or transient. */
  readonly instance?: object;
  readonly type: object;
  /** For people, as in `ModerationNodes (ModerationModule)`. */
  readonly name: string;
}

/** All providers and controllers once, whatever they were provided by. */
export function candidatesOf(discovery: DiscoveryService): Candidate[] {
  const seen = new Set<unknown>();
  const candidates: Candidate[] = [];
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    const host = wrapper.host?.name;
    const nameOf = (type: object) => {
      const { name } = type as { name?: unknown };
      const own = typeof name === 'string' && name !== '' ? name : String(wrapper.name);
      return host === undefined ? own : `${own} (${host})`;
    };
    if (wrapper.isTransient || !wrapper.isDependencyTreeStatic()) {
      const type: unknown = wrapper.metatype;
      if (typeof type === 'function') candidates.push({ type, name: nameOf(type) });
      continue;
    }
    const instance: unknown = wrapper.instance;
    if ((typeof instance !== 'object' && typeof instance !== 'function') || instance === null) continue;
    // an alias of a provider has the same instance
    if (seen.has(instance)) continue;
    seen.add(instance);
    // not instance.constructor: a provider may be a proxy that answers every name
    const prototype = Object.getPrototypeOf(instance) as object | null;
    const type: unknown =
      prototype === null ? undefined : Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
    if (typeof type !== 'function') continue;
    candidates.push({ instance, type, name: nameOf(type) });
  }
  return candidates;
}
