import type { LimitSettings } from '../engine/engine-options.js';
import { DEFAULT_OPTIONS } from './default-options.js';

/** The defaults, replaced by what is given and not undefined. Values are of the right types by then. */
export function over<T extends object, G extends { [K in keyof T]?: unknown }>(
  defaults: T,
  given: G | undefined,
): { [K in keyof T]: K extends keyof G ? NonNullable<G[K]> : T[K] } {
  const names = Object.keys(defaults) as (keyof T)[];
  const entries = names.map((name) => [name, given?.[name] ?? defaults[name]] as const);
  return Object.fromEntries(entries) as { [K in keyof T]: K extends keyof G ? NonNullable<G[K]> : T[K] };
}

/** Who raises the limit of one value means to write such values. */
export function limitsOf(
  given: { readonly [K in keyof LimitSettings]?: LimitSettings[K] | undefined } = {},
): LimitSettings {
  const asked = over(DEFAULT_OPTIONS.limits, given);
  return { ...asked, maxContextBytes: given.maxContextBytes ?? Math.max(asked.maxContextBytes, asked.maxValueBytes) };
}
