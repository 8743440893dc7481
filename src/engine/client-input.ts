import { z } from 'zod';
import { ArgumentInvalidError } from '../core/errors.js';

/**
 * What the calls of the client take, checked before anything is read or written: callers may be written in JavaScript,
 * and arguments often come from an HTTP request.
 */

const MAX_ID_LENGTH = 1024;
const MAX_TAGS = 64;
const MAX_TAG_LENGTH = 256;
const MAX_REASON_LENGTH = 4096;
export const MAX_PAGE = 1000;

const id = z.string().min(1).max(MAX_ID_LENGTH);
const tag = z.string().min(1).max(MAX_TAG_LENGTH);
const date = z.date('must be a Date with a valid time');
export const pageLimit = z.int().min(1).max(MAX_PAGE);
export const cursor = z.string().min(1).max(4096);
/** Milliseconds, up to a century. */
const span = z
  .int()
  .min(0)
  .max(100 * 365 * 86_400_000);
const plainObject = z.custom<Record<string, unknown>>(
  isPlainObject,
  'must be an object with a property for each value',
);
const status = z.enum(['running', 'awaiting', 'completed', 'failed', 'cancelled']);

export const startInput = z.strictObject({
  blueprintId: id,
  initialContext: plainObject,
  options: z.strictObject({
    runId: z.string().optional(),
    version: id.optional(),
    tags: z.array(tag).max(MAX_TAGS).optional(),
    strict: z.boolean().optional(),
    delayMs: span.optional(),
    timeoutMs: span.min(1).optional(),
    failurePolicy: z.enum(['continue', 'fail-fast']).optional(),
  }),
});

export const waitInput = z.strictObject({
  timeoutMs: z
    .custom<number>((value) => typeof value === 'number' && value >= 0, 'must be a number of milliseconds, 0 or more')
    .optional(),
  until: z.enum(['finished', 'settled']).optional(),
  signal: z.custom<AbortSignal>(isAbortSignal, 'must be an AbortSignal').optional(),
});

export const listInput = z
  .strictObject({
    status: status.optional(),
    blueprintId: id.optional(),
    tag: tag.optional(),
    from: date.optional(),
    to: date.optional(),
    limit: pageLimit.optional(),
    cursor: cursor.optional(),
  })
  .refine(({ from, to }) => !from || !to || from <= to, { path: ['from'], message: 'must not be later than to' });

export const resumeInput = z.strictObject({
  nodeId: id.optional(),
  action: z.string().min(1).max(MAX_ID_LENGTH).optional(),
  output: z.unknown().optional(),
});

export const retryInput = z.strictObject({
  fromNodeId: id.optional(),
  contextPatch: plainObject.optional(),
  dryRun: z.boolean().optional(),
});

export const webhookInput = z.strictObject({ nodeId: id });

export const cancelInput = z.strictObject({ reason: z.string().max(MAX_REASON_LENGTH).optional() });

const letterId = z
  .string()
  .regex(/^\d{1,9}:\d{1,18}$/, 'must be the id of a dead letter, as deadLetters.list() gives it');

export const deadListInput = z.strictObject({
  code: id.optional(),
  runId: id.optional(),
  includeRedriven: z.boolean().optional(),
  limit: pageLimit.optional(),
  cursor: cursor.optional(),
});

export const deadRedriveInput = z.union(
  [
    z.array(letterId).min(1).max(MAX_PAGE),
    z
      .strictObject({
        code: id.optional(),
        runId: id.optional(),
        all: z.literal(true).optional(),
        limit: z.int().min(1).max(100_000).optional(),
      })
      .refine(({ code, runId, all }) => code !== undefined || runId !== undefined || all === true, {
        path: ['all'],
        message: 'must be true to send every dead letter again; else name a code or a runId',
      }),
  ],
  'must be the id of a dead letter, a list of ids, or a filter: { code }, { runId } or { all: true }',
);

/**
 * Refuses what does not fit. The values themselves are passed on as they are: a schema may not change them.
 * @param name of the argument, in problems that are no single field's
 * @throws ArgumentInvalidError that lists every problem
 */
export function assertInput(call: string, schema: z.ZodType, given: unknown, name = 'options'): void {
  let parsed: z.ZodSafeParseResult<unknown>;
  try {
    parsed = schema.safeParse(given, { reportInput: false });
  } catch (cause) {
    // a getter or a proxy may throw
    const why = cause instanceof Error ? cause.message : typeof cause;
    throw new ArgumentInvalidError(call, [{ path: name, message: `can't be read (${why})` }], { cause });
  }
  if (parsed.success) return;
  throw new ArgumentInvalidError(
    call,
    parsed.error.issues.flatMap((issue) => {
      const path = issue.path.map(String).join('.') || name;
      if (issue.code !== 'unrecognized_keys') return [{ path, message: phrase(issue.message) }];
      return issue.keys.map((key) => ({ path: key, message: 'is not known; look for a typing error' }));
    }),
  );
}

/** An instance of a class will do; an array, a Map or a Date has no values under names. */
function isPlainObject(value: unknown): boolean {
  try {
    return Object.prototype.toString.call(value) === '[object Object]';
  } catch {
    return true; // a proxy that can't be read: whoever reads it says which value it is
  }
}

function isAbortSignal(value: unknown): boolean {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function';
}

function phrase(message: string): string {
  return message.startsWith('must ') ? message : `is wrong (${message})`;
}
