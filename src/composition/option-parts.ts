import { z } from 'zod';
import { cqlNameProblem, dataCentreProblem, groupProblem, keyPrefixProblem, topicProblem } from '../core/names.js';
import { encryptionProblems } from '../drivers/encryption/encryption-keys.js';
import type { LimitSettings, WorkerSettings } from '../engine/engine-options.js';
import type { DriverTuning, ServerProvisioning } from './server-drivers.js';

/** What single options must be, for the module and for the adapter. */

export interface OptionProblem {
  readonly path: string;
  readonly message: string;
}

/** A schema for each option that there is, so that none is forgotten. */
type Parts<T> = { readonly [K in keyof T]-?: z.ZodType };

export const UNKNOWN_OPTION = 'is no option; look for a typing error';

const ms = (min = 1) => z.number().int().min(min).max(2_147_483_647);
const count = z.number().int().min(1);
const mode = z.enum(['create', 'verify', 'off']);
export const plainObject = z.custom<object>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
);
/** Text of which a function says what is wrong with it. */
const text = (problemOf: (text: string) => string | undefined) =>
  z.string().superRefine((given, context) => {
    const problem = problemOf(given);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

export const topicName = text(topicProblem);
export const groupId = text(groupProblem);
/** Of a keyspace or table. */
export const identifier = text(cqlNameProblem);
export const redisKeyPrefix = text(keyPrefixProblem);
export const connectTimeoutMs = ms();
export const callTimeoutMs = ms(100);
export const stalledThresholdSeconds = z.number().min(1);
export const maxRunsPerSweep = count;

/** Of a worker, apart from whether and when it starts. */
export const workerParts = {
  concurrency: count.max(10_000).optional(),
  drainTimeoutMs: ms(0).optional(),
  leaseMs: ms(1_000).optional(),
  livenessMs: ms(500).optional(),
  emitDelayMs: ms(0).optional(),
  maxHoldMs: ms(100).optional(),
  unroutableGraceMs: z.number().int().min(0).optional(),
  unroutableDelayMs: ms().optional(),
} satisfies Parts<WorkerSettings>;

export const provision = z.strictObject({
  topic: mode.optional(),
  keyspace: mode.optional(),
  tables: mode.optional(),
  partitions: count.max(100_000).optional(),
  topicReplication: z.union([z.literal(-1), count.max(32_767)]).optional(),
  keyspaceReplication: z.union([count, z.record(z.string(), count).superRefine(dataCentres)]).optional(),
} satisfies Parts<ServerProvisioning>);

export const limits = z.strictObject({
  maxValueBytes: count.optional(),
  maxValueDepth: count.max(1_500).optional(),
  maxContextBytes: count.optional(),
  maxResultBytes: count.optional(),
  maxFanOut: count.optional(),
  maxSubflowDepth: count.optional(),
  maxBlueprintNodes: count.optional(),
  maxTurnsPerRun: count.optional(),
} satisfies Parts<LimitSettings>);

const kafkaTuning = {
  deadPartitions: count.optional(),
  topicConfig: z.record(z.string(), z.string()).optional(),
  closeTimeoutMs: ms(0).optional(),
  lingerMs: ms(0).optional(),
  deadReadTimeoutMs: ms().optional(),
  commitIntervalMs: ms().optional(),
  maxOpenPerPartition: count.optional(),
  // passed on to kafkajs as it is
  consumer: plainObject.optional(),
  idleGuard: z.boolean().optional(),
} satisfies Parts<NonNullable<DriverTuning['kafka']>>;
const cassandraTuning = {
  consistency: z.number().int().min(0).optional(),
  serialConsistency: z.number().int().min(0).optional(),
} satisfies Parts<NonNullable<DriverTuning['cassandra']>>;
const redisTuning = {
  commandTimeoutMs: ms().optional(),
  runTtlMs: count.optional(),
  endedTtlMs: count.optional(),
} satisfies Parts<NonNullable<DriverTuning['redis']>>;

export const tuning = z.strictObject({
  kafka: z.strictObject(kafkaTuning).optional(),
  cassandra: z.strictObject(cassandraTuning).optional(),
  redis: z.strictObject(redisTuning).optional(),
} satisfies Parts<DriverTuning>);

export const encryption = z.unknown().superRefine((given, context) => {
  if (given === undefined) return;
  for (const { path, message } of encryptionProblems(given))
    context.addIssue({ code: 'custom', path: path === '' ? [] : path.split('.'), message });
});

/** What a schema finds wrong, each by its path. */
export function schemaProblems(schema: z.ZodType, given: unknown): OptionProblem[] {
  const parsed = schema.safeParse(given);
  return parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOfIssue(issue));
}

/** A value that is allowed and fits in no context. A small context alone says nothing about values. */
export function limitProblems({ limits }: { limits?: unknown }): OptionProblem[] {
  const { maxValueBytes, maxContextBytes: most } = (limits ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof maxValueBytes !== 'number' || typeof most !== 'number' || maxValueBytes <= most) return [];
  const message = `is more than limits.maxContextBytes (${most}), which holds for all values together; raise that or lower this`;
  return [{ path: 'limits.maxValueBytes', message }];
}

function dataCentres(given: Record<string, unknown>, context: z.core.$RefinementCtx): void {
  for (const name of Object.keys(given)) {
    const message = dataCentreProblem(name);
    if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message });
  }
}

function problemsOfIssue(issue: z.core.$ZodIssue): OptionProblem[] {
  const path = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.map((key) => ({ path: path === '' ? key : `${path}.${key}`, message: UNKNOWN_OPTION }));
}
