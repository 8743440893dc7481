import { DIContainer, ServiceTokens, type RuntimeOptions } from 'flowcraft';
import { UNKNOWN_OPTION } from './option-parts.js';

/** What is wrong with a part of flowcraft's options: where it stands in them, and what. */
export interface RuntimeProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Check = (given: unknown) => RuntimeProblem[];

const HOOKS = ['beforeNode', 'afterNode', 'aroundNode'];

const PARTS: { readonly [K in keyof Required<RuntimeOptions>]: Check } = {
  registry: byName,
  blueprints: byName,
  dependencies: byName,
  logger: withFunctions('debug', 'info', 'warn', 'error'),
  eventBus: withFunctions('emit'),
  evaluator: withFunctions('evaluate'),
  serializer: withFunctions('serialize', 'deserialize'),
  middleware: middlewareProblems,
  strict: (given) => (typeof given === 'boolean' ? [] : [{ path: [], message: 'must be true or false' }]),
};

/** The names of flowcraft's RuntimeOptions. */
export const RUNTIME_NAMES: readonly string[] = Object.keys(PARTS);

const TOKENS: { readonly [K in Exclude<keyof RuntimeOptions, 'strict'>]-?: symbol } = {
  registry: ServiceTokens.NodeRegistry,
  blueprints: ServiceTokens.BlueprintRegistry,
  dependencies: ServiceTokens.Dependencies,
  logger: ServiceTokens.Logger,
  eventBus: ServiceTokens.EventBus,
  evaluator: ServiceTokens.Evaluator,
  serializer: ServiceTokens.Serializer,
  middleware: ServiceTokens.Middleware,
};

/** What is wrong with flowcraft's RuntimeOptions; names that it does not know are told by `unknownRuntimeNames`. */
export function runtimeProblems(given: object): RuntimeProblem[] {
  if (isForeignContainer(given)) {
    const message = 'is a DIContainer of another copy of flowcraft; see that the application has one copy only';
    return [{ path: [], message }];
  }
  return Object.entries(PARTS).flatMap(([name, check]) => at(name, check, (given as Record<string, unknown>)[name]));
}

export function unknownRuntimeNames(given: object): string[] {
  return isForeignContainer(given) ? [] : Object.keys(given).filter((name) => !Object.hasOwn(PARTS, name));
}

/** What is wrong with the options of the module: as above, and a name that flowcraft does not know is one. */
export function strictRuntimeProblems(given: object): RuntimeProblem[] {
  // what a container holds may be made when it is asked for, so it is looked at when the engine takes it
  if (given instanceof DIContainer) return [];
  const unknown = unknownRuntimeNames(given).map((name) => ({ path: [name], message: UNKNOWN_OPTION }));
  return [...unknown, ...runtimeProblems(given)];
}

/** What is wrong with what a container holds. It makes what it has not made yet. */
export function containerProblems(container: DIContainer): RuntimeProblem[] {
  return Object.entries(TOKENS).flatMap(([name, token]) =>
    container.has(token) ? at(name, PARTS[name as keyof typeof TOKENS], container.resolve(token)) : [],
  );
}

/** flowcraft takes null for not given. */
function at(name: string, check: Check, value: unknown): RuntimeProblem[] {
  if (value === undefined || value === null) return [];
  return check(value).map(({ path, message }) => ({ path: [name, ...path], message }));
}

function byName(given: unknown): RuntimeProblem[] {
  if (given instanceof Map || given instanceof Set) {
    const message = `must be an object with a property for each name: of a ${given instanceof Map ? 'Map' : 'Set'} nothing would be found; use Object.fromEntries()`;
    return [{ path: [], message }];
  }
  return typeof given === 'object' && !Array.isArray(given) ? [] : [{ path: [], message: 'must be an object' }];
}

function withFunctions(...names: string[]): Check {
  return (given) => {
    const missing = names.filter((name) => typeof (given as Record<string, unknown>)[name] !== 'function');
    if (missing.length === 0) return [];
    const all = names.length === 1 ? `function ${names[0]}()` : `functions ${names.map((n) => `${n}()`).join(', ')}`;
    const lacks = missing.length === names.length ? '' : `; it lacks ${missing.map((n) => `${n}()`).join(', ')}`;
    return [{ path: [], message: `must be an object with the ${all}${lacks}` }];
  };
}

function middlewareProblems(given: unknown): RuntimeProblem[] {
  if (!Array.isArray(given)) return [{ path: [], message: 'must be an array; put what you have between [ and ]' }];
  return given.flatMap((one: unknown, index) => {
    const hooks = typeof one === 'object' && one !== null ? (one as Record<string, unknown>) : undefined;
    const isFit =
      hooks !== undefined && HOOKS.every((hook) => hooks[hook] === undefined || typeof hooks[hook] === 'function');
    const message = `must be an object with functions ${HOOKS.join('(), ')}(), or some of them`;
    return isFit ? [] : [{ path: [index], message }];
  });
}

function isForeignContainer(given: object): boolean {
  if (given instanceof DIContainer) return false;
  const { resolve, register, has } = given as Partial<Record<string, unknown>>;
  return [resolve, register, has].every((method) => typeof method === 'function');
}
