import { DIContainer } from 'flowcraft';
import { z } from 'zod';
import { cqlNameProblem, dataCentreProblem, groupProblem, keyPrefixProblem, topicProblem } from '../core/names.js';
import { encryptionProblems } from '../drivers/encryption/encryption-keys.js';
import { brokerProblem, isPort, redisAddressProblem } from './address-check.js';
import { cronProblem } from './cron-time.js';
import { kindOf } from './module-arguments.js';
import { webhookOptions } from './webhooks/webhook-options-check.js';

export interface OptionProblem {
  readonly path: string;
  readonly message: string;
}

const CONNECTIONS = {
  kafka: "kafkajs' options, or a Kafka instance",
  cassandra: "cassandra-driver's options, or a Client",
  redis: "a redis:// URL, ioredis' options, or a connection",
} as const;

/** Beside the options of `forRoot()` the module takes it; what a factory gives comes too late. */
const IS_GLOBAL =
  'belongs beside useFactory, useClass or useExisting, as forRootAsync({ isGlobal: false, useFactory }): the module is put together before the options are made';
const CLUSTER_NODES = "must list at least one node, as [{ host: 'localhost', port: 6379 }]";
const ms = (min = 1) => z.number().int().min(min).max(2_147_483_647);
const count = z.number().int().min(1);
const mode = z.enum(['create', 'verify', 'off']);
/** Text of which a function says what is wrong with it. */
const text = (problemOf: (text: string) => string | undefined) =>
  z.string().superRefine((given, context) => {
    const problem = problemOf(given);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });
const identifier = text(cqlNameProblem);
const plainObject = z.custom<object>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
);
const kafka = plainObject.superRefine((value, context) => {
  const { brokers, producer, consumer } = value as Record<string, unknown>;
  if (typeof producer === 'function' && typeof consumer === 'function') return;
  if (typeof brokers === 'function') return;
  if (Array.isArray(brokers) && brokers.length > 0 && brokers.every((b) => typeof b === 'string' && b.trim() !== '')) {
    for (const [index, broker] of (brokers as string[]).entries()) {
      const message = brokerProblem(broker);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['brokers', index], message });
    }
    return;
  }
  context.addIssue({
    code: 'custom',
    path: ['brokers'],
    message: "must list at least one broker, as ['localhost:9092']",
  });
});
const cassandra = plainObject.superRefine((value, context) => {
  const { execute, cloud, contactPoints, localDataCenter } = value as Record<string, unknown>;
  if (typeof execute === 'function' || cloud !== undefined) return;
  if (!Array.isArray(contactPoints) || contactPoints.length === 0 || contactPoints.some((p) => typeof p !== 'string'))
    context.addIssue({
      code: 'custom',
      path: ['contactPoints'],
      message: "must list at least one host, as ['localhost']",
    });
  if (typeof localDataCenter !== 'string' || localDataCenter === '')
    context.addIssue({
      code: 'custom',
      path: ['localDataCenter'],
      message: "must name the data centre of the contact points, as 'datacenter1'",
    });
});
const redis = z.custom<object | string>().superRefine((value, context) => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { cluster, defineCommand, port } = value as Record<string, unknown>;
    if (typeof defineCommand === 'function') return;
    if (port !== undefined && !isPort(Number(port)))
      context.addIssue({ code: 'custom', path: ['port'], message: 'must be a port, 1 to 65535' });
    if (cluster === undefined) return;
    if (!Array.isArray(cluster) || cluster.length === 0)
      context.addIssue({ code: 'custom', path: ['cluster'], message: CLUSTER_NODES });
    return;
  }
  const message = typeof value === 'string' ? redisAddressProblem(value) : `must be ${CONNECTIONS.redis}`;
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});
const runtime = plainObject.superRefine((value, context) => {
  if (value instanceof DIContainer) return;
  for (const [name, part] of Object.entries(value)) {
    if (
      (name === 'registry' || name === 'blueprints' || name === 'dependencies') &&
      !plainObject.safeParse(part ?? {}).success
    )
      context.addIssue({ code: 'custom', path: [name], message: 'must be an object' });
  }
});

function dataCentres(given: Record<string, unknown>, context: z.core.$RefinementCtx): void {
  for (const name of Object.keys(given)) {
    const message = dataCentreProblem(name);
    if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message });
  }
}

const encryption = z.unknown().superRefine((given, context) => {
  if (given === undefined) return;
  for (const { path, message } of encryptionProblems(given))
    context.addIssue({ code: 'custom', path: path === '' ? [] : path.split('.'), message });
});

const schema = z.strictObject({
  kafka: kafka.optional(),
  cassandra: cassandra.optional(),
  redis: redis.optional(),
  embedded: z.boolean().optional(),
  runtime: runtime.optional(),
  topicName: text(topicProblem).optional(),
  groupId: text(groupProblem).optional(),
  keyspace: identifier.optional(),
  contextTableName: identifier.optional(),
  statusTableName: identifier.optional(),
  redisKeyPrefix: text(keyPrefixProblem).optional(),
  worker: z
    .strictObject({
      enabled: z.boolean().optional(),
      autoStart: z.boolean().optional(),
      concurrency: count.max(10_000).optional(),
      drainTimeoutMs: ms(0).optional(),
      leaseMs: ms(1_000).optional(),
      livenessMs: ms(500).optional(),
      emitDelayMs: ms(0).optional(),
      maxHoldMs: ms(100).optional(),
      unroutableGraceMs: z.number().int().min(0).optional(),
      unroutableDelayMs: ms().optional(),
    })
    .optional(),
  client: z.strictObject({ callTimeoutMs: ms(100).optional() }).optional(),
  reconciler: z
    .strictObject({
      enabled: z.boolean().optional(),
      cron: text(cronProblem).optional(),
      stalledThresholdSeconds: z.number().min(1).optional(),
      maxRunsPerSweep: count.optional(),
    })
    .optional(),
  provision: z
    .strictObject({
      topic: mode.optional(),
      keyspace: mode.optional(),
      tables: mode.optional(),
      partitions: count.max(100_000).optional(),
      topicReplication: z.union([z.literal(-1), count.max(32_767)]).optional(),
      keyspaceReplication: z.union([count, z.record(z.string(), count).superRefine(dataCentres)]).optional(),
    })
    .optional(),
  limits: z
    .strictObject({
      maxValueBytes: count.optional(),
      maxValueDepth: count.max(1_500).optional(),
      maxContextBytes: count.optional(),
      maxResultBytes: count.optional(),
      maxFanOut: count.optional(),
      maxSubflowDepth: count.optional(),
      maxBlueprintNodes: count.optional(),
      maxTurnsPerRun: count.optional(),
    })
    .optional(),
  encryption: encryption.optional(),
  webhooks: webhookOptions.optional(),
  blueprints: z.strictObject({ unknownNodes: z.enum(['refuse', 'fail']).optional() }).optional(),
  connectTimeoutMs: ms().optional(),
  tuning: z
    .strictObject({ kafka: plainObject.optional(), cassandra: plainObject.optional(), redis: plainObject.optional() })
    .optional(),
});

/** Everything that is wrong with the options, each by its path; empty if nothing is. */
export function problemsOf(given: unknown): OptionProblem[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return [{ path: '(options)', message: `must be an object, not ${kindOf(given)}` }];
  const parsed = schema.safeParse(given);
  const found = parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOfIssue(issue));
  return [...connectionProblems(given as Record<string, unknown>), ...found, ...limitProblems(given)];
}

/** A value that is allowed and fits in no context. A small context alone says nothing about values. */
function limitProblems({ limits }: { limits?: unknown }): OptionProblem[] {
  const { maxValueBytes, maxContextBytes: most } = (limits ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof maxValueBytes !== 'number' || typeof most !== 'number' || maxValueBytes <= most) return [];
  const message = `is more than limits.maxContextBytes (${most}), which holds for all values together; raise that or lower this`;
  return [{ path: 'limits.maxValueBytes', message }];
}

function problemsOfIssue(issue: z.core.$ZodIssue): OptionProblem[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      message: path === '' && key === 'isGlobal' ? IS_GLOBAL : 'is no option; look for a typing error',
    }));
  }
  return [{ path, message: issue.message }];
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
