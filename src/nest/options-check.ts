import { z } from 'zod';
import { CONNECTIONS, cassandra, kafka, redis } from '../composition/connection-parts.js';
import {
  callTimeoutMs,
  connectTimeoutMs,
  encryption,
  groupId,
  identifier,
  limitProblems,
  limits,
  maxRunsPerSweep,
  plainObject,
  provision,
  redisKeyPrefix,
  schemaProblems,
  stalledThresholdSeconds,
  topicName,
  tuning,
  UNKNOWN_OPTION,
  workerParts,
  type OptionProblem,
} from '../composition/option-parts.js';
import { strictRuntimeProblems } from '../composition/runtime-check.js';
import { webhookOptions } from '../composition/webhook-parts.js';
import { cronProblem } from './cron-time.js';
import { kindOf } from './module-arguments.js';

export type { OptionProblem } from '../composition/option-parts.js';

/** Beside the options of `forRoot()` the module takes it; what a factory gives comes too late. */
const IS_GLOBAL =
  'belongs beside useFactory, useClass or useExisting, as forRootAsync({ isGlobal: false, useFactory }): the module is put together before the options are made';

const cron = z.string().superRefine((given, context) => {
  const message = cronProblem(given);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});
const runtime = plainObject.superRefine((given, context) => {
  for (const { path, message } of strictRuntimeProblems(given))
    context.addIssue({ code: 'custom', path: [...path], message });
});

const schema = z.strictObject({
  kafka: kafka.optional(),
  cassandra: cassandra.optional(),
  redis: redis.optional(),
  embedded: z.boolean().optional(),
  runtime: runtime.optional(),
  topicName: topicName.optional(),
  groupId: groupId.optional(),
  keyspace: identifier.optional(),
  contextTableName: identifier.optional(),
  statusTableName: identifier.optional(),
  redisKeyPrefix: redisKeyPrefix.optional(),
  worker: z
    .strictObject({ enabled: z.boolean().optional(), autoStart: z.boolean().optional(), ...workerParts })
    .optional(),
  client: z.strictObject({ callTimeoutMs: callTimeoutMs.optional() }).optional(),
  reconciler: z
    .strictObject({
      enabled: z.boolean().optional(),
      cron: cron.optional(),
      stalledThresholdSeconds: stalledThresholdSeconds.optional(),
      maxRunsPerSweep: maxRunsPerSweep.optional(),
    })
    .optional(),
  provision: provision.optional(),
  limits: limits.optional(),
  encryption: encryption.optional(),
  webhooks: webhookOptions.optional(),
  blueprints: z.strictObject({ unknownNodes: z.enum(['refuse', 'fail']).optional() }).optional(),
  connectTimeoutMs: connectTimeoutMs.optional(),
  tuning: tuning.optional(),
});

/** Everything that is wrong with the options, each by its path; empty if nothing is. */
export function problemsOf(given: unknown): OptionProblem[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return [{ path: '(options)', message: `must be an object, not ${kindOf(given)}` }];
  const found = schemaProblems(schema, given).map((problem) =>
    problem.path === 'isGlobal' && problem.message === UNKNOWN_OPTION ? { ...problem, message: IS_GLOBAL } : problem,
  );
  return [...connectionProblems(given as Record<string, unknown>), ...found, ...limitProblems(given)];
}

function connectionProblems(given: Record<string, unknown>): OptionProblem[] {
  const names = Object.keys(CONNECTIONS) as (keyof typeof CONNECTIONS)[];
  const present = names.filter((name) => given[name] !== undefined);
  if (given['embedded'] === true) {
    return present.map((path) => ({
      path,
      message: 'contradicts embedded: true, which uses no servers; leave out one of the two',
    }));
  }
  return names
    .filter((name) => !present.includes(name))
    .map((path) => ({
      path,
      message: `is missing; give ${CONNECTIONS[path]}, or set embedded: true to run without any servers`,
    }));
}
