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
