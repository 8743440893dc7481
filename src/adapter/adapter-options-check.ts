import { DIContainer } from 'flowcraft';
import { z } from 'zod';
import { redis } from '../composition/connection-parts.js';
import {
  encryption,
  groupId,
  identifier,
  limitProblems,
  limits,
  provision,
  redisKeyPrefix,
  schemaProblems,
  topicName,
  tuning,
  workerParts,
  type OptionProblem,
} from '../composition/option-parts.js';
import { RUNTIME_NAMES, runtimeProblems, unknownRuntimeNames } from '../composition/runtime-check.js';
import { webhookOptions } from '../composition/webhook-parts.js';
import { ConfigurationError } from '../core/errors.js';
import { nearName } from '../core/near-name.js';
import { CassandraSchema } from '../drivers/cassandra/cassandra-schema.js';
import type { Logger } from '../ports/logger.js';
import { connectionOf, type KafkaAdapterOptions } from './adapter-options.js';
import type { KafkaReconcilerOptions } from './kafka-reconciler.js';

/** An object with these functions. */
const instance = (what: string, ...functions: string[]) =>
  z.unknown().superRefine((given, context) => {
    const members = (given ?? {}) as Record<string, unknown>;
    if (functions.every((name) => typeof members[name] === 'function')) return;
    context.addIssue({ code: 'custom', message: given === undefined ? `is missing; give ${what}` : `must be ${what}` });
  });
const named = (example: string) =>
  identifier.or(
    z.undefined().superRefine((_, context) => {
      context.addIssue({ code: 'custom', message: `is missing; name it, as '${example}'` });
    }),
  );
const runtimeOptions = z.unknown().superRefine((given, context) => {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || given instanceof DIContainer) {
    const message = `${given === undefined ? 'is missing; give' : 'must be'} flowcraft's RuntimeOptions, as { registry, blueprints }`;
    context.addIssue({ code: 'custom', message });
    return;
  }
  for (const { path, message } of runtimeProblems(given))
    context.addIssue({ code: 'custom', path: [...path], message });
});

const adapterParts = {
  kafka: instance('a Kafka of kafkajs', 'producer', 'consumer', 'admin'),
  cassandraClient: instance('a Client of cassandra-driver', 'execute'),
  coordinationStore: z.unknown(),
  topicName: topicName.optional(),
  groupId: groupId.optional(),
  keyspace: named('flowcraft_ks'),
  contextTableName: named('contexts'),
  statusTableName: named('statuses'),
  runtimeOptions,
  eventBus: instance('an object with the function emit()', 'emit').optional(),
  redis: redis.optional(),
  redisKeyPrefix: redisKeyPrefix.optional(),
  provision: provision.optional(),
  worker: z.strictObject(workerParts).optional(),
  limits: limits.optional(),
  webhooks: webhookOptions.pick({ baseUrl: true, path: true, ttlSeconds: true }).optional(),
  tuning: tuning.optional(),
  encryption: encryption.optional(),
  cipher: z.unknown(),
} satisfies { readonly [K in keyof KafkaAdapterOptions]-?: z.ZodType };

const reconcilerParts = {
  adapter: instance('a KafkaAdapter', 'use'),
  cassandraClient: instance('a Client of cassandra-driver', 'execute'),
  keyspace: named('flowcraft_ks'),
  statusTableName: named('statuses'),
  stalledThresholdSeconds: z.number().min(0).optional(),
  logger: instance('an object with the functions info(), warn() and error()', 'info', 'warn', 'error').optional(),
} satisfies { readonly [K in keyof KafkaReconcilerOptions]-?: z.ZodType };

const adapterSchema = z.object(adapterParts);
const reconcilerSchema = z.object(reconcilerParts);

/**
 * Checks the options of a KafkaAdapter.
 * @returns the names among them that nobody reads
 * @throws ConfigurationError that lists every problem
 */
export function checkAdapterOptions(given: unknown): string[] {
  const options = objectOf(given, 'KafkaAdapter');
  const names = sorted(Object.keys(options), Object.keys(adapterParts));
  const inner = options['runtimeOptions'];
  const runtime = sorted(typeof inner === 'object' && inner ? unknownRuntimeNames(inner) : [], RUNTIME_NAMES);
  const problems = [
    ...names.wrong,
    ...runtime.wrong.map(({ path, message }) => ({ path: `runtimeOptions.${path}`, message })),
    ...schemaProblems(adapterSchema, filled(options, adapterParts)),
    ...limitProblems(options),
    ...(options['redis'] === undefined && !connectionOf(options['coordinationStore']) ? [storeProblem(options)] : []),
  ];
  if (problems.length > 0) throw new ConfigurationError(problems, {}, 'KafkaAdapter');
  const { keyspace, contextTableName, statusTableName } = given as KafkaAdapterOptions;
  about('KafkaAdapter', () => new CassandraSchema({ keyspace, contextTableName, statusTableName }));
  return [...names.unknown, ...runtime.unknown.map((name) => `runtimeOptions.${name}`)];
}

/** As `checkAdapterOptions`, for `createKafkaReconciler`. */
export function checkReconcilerOptions(given: unknown): string[] {
  const of = 'createKafkaReconciler()';
  const options = objectOf(given, of);
  const names = sorted(Object.keys(options), Object.keys(reconcilerParts));
  const problems = [...names.wrong, ...schemaProblems(reconcilerSchema, filled(options, reconcilerParts))];
  if (problems.length > 0) throw new ConfigurationError(problems, {}, of);
  return names.unknown;
}

/** A program for another version or another adapter may give options that mean nothing here. */
export function warnOfUnknown(names: readonly string[], of: string, logger: Logger): void {
  if (names.length === 0) return;
  const list = names.map((name) => `'${name}'`).join(', ');
  logger.warn(`${of} was given options that it does not know, and that have no effect: ${list}.`);
}

/** Lets an error about options say whose they are. */
export function about<T>(of: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ConfigurationError ? error.about(of) : error;
  }
}

function objectOf(given: unknown, of: string): Record<string, unknown> {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as Record<string, unknown>;
  throw new ConfigurationError([{ path: '(options)', message: 'must be an object' }], {}, of);
}

/** With every name there is, so that each schema says itself what it means that nothing is given. */
function filled(given: Record<string, unknown>, parts: object): Record<string, unknown> {
  return Object.fromEntries(Object.keys(parts).map((name) => [name, given[name]]));
}

/** Names that are known or nearly so; others are left to those who know them. */
function sorted(given: readonly string[], known: readonly string[]): { wrong: OptionProblem[]; unknown: string[] } {
  const unknown = given.filter((name) => !known.includes(name));
  const meant = unknown.map((name) => ({ name, near: nearName(name, known) }));
  return {
    wrong: meant.flatMap(({ name, near }) =>
      near === undefined ? [] : [{ path: name, message: `is no option; '${near}' is one` }],
    ),
    unknown: meant.flatMap(({ name, near }) => (near === undefined ? [name] : [])),
  };
}

function storeProblem({ coordinationStore }: Record<string, unknown>): OptionProblem {
  const what = 'a RedisCoordinationStore; or give the option redis';
  return {
    path: 'coordinationStore',
    message: coordinationStore === undefined ? `is missing; give ${what}` : `must be ${what}`,
  };
}
