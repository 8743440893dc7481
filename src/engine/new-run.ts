import { createHash } from 'node:crypto';
import { isInternalKey } from '../core/context-view.js';
import { ContextKeyRefusedError } from '../core/errors.js';
import { readEntries } from '../core/flaws.js';
import { ContextTooLargeError } from '../core/limit-errors.js';
import { assertContextKey } from '../core/identifiers.js';
import { stableJson, type BlueprintPlan } from '../core/plan.js';
import type { RunRecord } from '../core/run.js';
import type { ValueCodec } from '../core/value-codec.js';

/**
 * The initial context as a run record holds it.
 * @throws ContextKeyRefusedError, ValueNotSerializableError, ValueTooLargeError, ValueTooDeepError, ContextTooLargeError
 */
export function encodeInput(context: Record<string, unknown>, codec: ValueCodec, maxContextBytes: number): string {
  let bytes = 0;
  const entries = readEntries(context, 'The initial context').map(([key, value]) => {
    assertContextKey(key);
    if (isInternalKey(key)) throw new ContextKeyRefusedError(key);
    const text = codec.encode(value, `The initial context value '${key}'`);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(text);
    return [key, text] as const;
  });
  if (bytes > maxContextBytes) throw new ContextTooLargeError('The initial context', bytes, maxContextBytes);
  return stableJson(Object.fromEntries(entries));
}

/** Whether two initial contexts, as records hold them, are equal: the order of an object's keys means nothing. */
export function isSameInput(one: string, other: string): boolean {
  return one === other || canonical(one) === canonical(other);
}

function canonical(input: string): string {
  const entries = Object.entries(JSON.parse(input) as Record<string, string>);
  return stableJson(Object.fromEntries(entries.map(([key, text]) => [key, valueIn(text)])));
}

/** A serializer of the application's need not write JSON, or writes what JSON.parse reads in part only. */
function valueIn(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    return JSON.stringify(json) === text ? { json } : { text };
  } catch {
    return { text };
  }
}

/** The record of a run that is to be accepted now. */
export function newRun(
  plan: BlueprintPlan,
  runId: string,
  input: string,
  createdAt: number,
  { tags = [], parent, options = {} }: Pick<Partial<RunRecord>, 'tags' | 'parent' | 'options'> = {},
): RunRecord {
  return {
    runId,
    blueprintId: plan.id,
    blueprintVersion: plan.version,
    blueprintHash: plan.hash,
    input,
    inputHash: createHash('sha256').update(input).digest('hex'),
    tags: [...tags],
    ...(parent ? { parent } : {}),
    ...(Object.keys(options).length > 0 ? { options } : {}),
    createdAt,
    status: 'running',
  };
}
