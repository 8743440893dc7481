import { ConfigurationError } from '../core/errors.js';
import type { OptionProblem } from './options-check.js';

const WAYS = ['useFactory', 'useClass', 'useExisting'] as const;
const ASYNC_KEYS = new Set<string>([...WAYS, 'imports', 'inject', 'isGlobal', 'provideInjectionTokensFrom']);
const FEATURE_KEYS = new Set(['blueprints', 'nodes']);
const UNKNOWN = 'is no option; look for a typing error';

/** What is wrong with the argument of `forRootAsync()`. */
export function asyncProblems(given: unknown): OptionProblem[] {
  const path = 'forRootAsync()';
  if (!isObject(given)) return [{ path, message: `must be given an object, not ${kindOf(given)}` }];
  const unknown = Object.keys(given).filter((key) => !ASYNC_KEYS.has(key));
  const ways = WAYS.filter((way) => given[way] !== undefined);
  const [way] = ways;
  return [
    ...unknown.map((key) => ({ path: `forRootAsync({ ${key} })`, message: UNKNOWN })),
    ...(way === undefined ? [{ path, message: `lacks the options: give it one of ${WAYS.join(', ')}` }] : []),
    ...(ways.length > 1 ? [{ path, message: `is given ${ways.join(' and ')}; keep one of them` }] : []),
    ...ways
      .filter((name) => name !== 'useExisting' && typeof given[name] !== 'function')
      .map((name) => ({
        path: `forRootAsync({ ${name} })`,
        message: `must be a ${name === 'useClass' ? 'class' : 'function'}, not ${kindOf(given[name])}`,
      })),
    ...(['imports', 'inject'] as const)
      .filter((name) => given[name] !== undefined && !Array.isArray(given[name]))
      .map((name) => ({ path: `forRootAsync({ ${name} })`, message: `must be an array, not ${kindOf(given[name])}` })),
  ];
}

/**
 * The options that the provider of `useClass` or `useExisting` gives, which are not checked here.
 * @throws ConfigurationError if it has no method to give them
 */
export async function optionsOf(factory: unknown, way: 'useClass' | 'useExisting'): Promise<unknown> {
  const { createFlowcraftKafkaOptions: create } = (factory ?? {}) as Partial<Record<string, unknown>>;
  if (typeof create === 'function') return (await create.call(factory)) as unknown;
  const message =
    'has no method createFlowcraftKafkaOptions(), which gives the options; add it, as FlowcraftKafkaOptionsFactory has it';
  throw new ConfigurationError([{ path: `forRootAsync({ ${way} })`, message }]);
}

/** What is wrong with the argument of `forFeature()`, apart from its single blueprints and nodes. */
export function featureProblems(given: unknown): OptionProblem[] {
  if (!isObject(given)) return [{ path: 'forFeature()', message: `must be given an object, not ${kindOf(given)}` }];
  const { blueprints, nodes } = given;
  const at = (key: string, message: string) => ({ path: `forFeature({ ${key} })`, message });
  return [
    ...Object.keys(given)
      .filter((key) => !FEATURE_KEYS.has(key))
      .map((key) => at(key, UNKNOWN)),
    ...(blueprints === undefined || Array.isArray(blueprints) || isObject(blueprints)
      ? []
      : [at('blueprints', `must be an array or an object of blueprints, not ${kindOf(blueprints)}`)]),
    ...(nodes === undefined || isObject(nodes) ? [] : [at('nodes', `must be an object, not ${kindOf(nodes)}`)]),
  ];
}

/** An object that is no array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}
