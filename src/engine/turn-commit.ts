import type { NodeResult } from 'flowcraft';
import { ITEM_KEY_PREFIX } from '../core/batch.js';
import { givenOf, INLINE_CHARACTERS } from '../core/given-values.js';
import type { BlueprintPlan } from '../core/plan.js';
import type { ErrorRecord, TurnName, TurnRecord } from '../core/run.js';
import { ContextTooLargeError } from '../core/limit-errors.js';
import type { ValueCodec } from '../core/value-codec.js';
import type { TurnWrite, ValueWrite } from '../ports/run-store.js';
import { batchOf } from './batch-nodes.js';
import { NO_EDGES, type EdgeDecision } from './edge-decision.js';
import type { Execution } from './node-execution.js';
import type { RunContext } from './run-context.js';

export interface TurnFacts extends TurnName {
  readonly runId: string;
  readonly token: number;
  readonly passes: readonly string[];
  readonly worker: string;
  readonly attempts: number;
  readonly claims: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/**
 * All that a settled turn writes, from what its node's code did. Nothing is written twice: the output stands in the
 * journal row, which names keys that hold it; where it may not, a value refers to a large output.
 * @throws ValueNotSerializableError, ValueTooLargeError, ValueTooDeepError, ContextTooLargeError
 */
export function turnWrite(
  plan: BlueprintPlan,
  facts: TurnFacts,
  execution: Execution,
  edges: EdgeDecision,
  context: RunContext,
  codec: ValueCodec,
  maxBytes: number,
): TurnWrite {
  const { nodeId, turn, runId } = facts;
  const ids = { runId, nodeId };
  const outputKeys = [`_outputs.${nodeId}`, nodeId];
  const values: ValueWrite[] = [];
  const writes: string[] = [];
  const ahead: ValueWrite[] = [];
  const output = outputText(execution, nodeId, codec, ids);
  const asOutput = (key: string): ValueWrite =>
    output === undefined || output.length <= INLINE_CHARACTERS
      ? { key, value: output ?? codec.encode(undefined, key) }
      : { key, ref: { nodeId, turn } };
  const isWritten = hasOutput(execution);
  const ofOutput = isWritten ? [`_outputs.${nodeId}`] : [];
  for (const [key, change] of context.changes) {
    if (isWritten && outputKeys.includes(key)) continue;
    const input = edges.inputs.get(key);
    const goesAhead = key.startsWith(ITEM_KEY_PREFIX);
    if (!input && !goesAhead) writes.push(key);
    if (change === 'deleted') values.push({ key, deleted: true });
    else if (input?.isOutput && output !== undefined) ofOutput.push(key);
    else {
      const value = codec.encode(change.value, `The context value '${key}' of node '${nodeId}'`, ids);
      (goesAhead ? ahead : values).push(value === output ? asOutput(key) : { key, value });
    }
  }
  const isGiven = execution.status === 'completed' && output !== undefined;
  const gives = isGiven ? givenOf(plan, facts, output, ofOutput) : [];
  for (const key of ofOutput) if (!gives.includes(key)) values.push(asOutput(key));
  const record = recordOf(facts, {
    status: execution.status,
    taken: edges.taken,
    writes,
    inputsWritten: [...edges.inputs.keys()],
    ...(gives.length > 0 ? { gives } : {}),
    ...(output === undefined ? {} : { output }),
    ...details(execution, edges),
  });
  const write = { runId, record, values, ...(ahead.length > 0 ? { ahead } : {}) };
  assertSize(write, maxBytes);
  return write;
}

/** All of a turn is written as one, which no server takes in any size. */
function assertSize({ runId, record, values }: TurnWrite, maxBytes: number): void {
  const texts = [record.output ?? '', record.action ?? ''];
  for (const { key, value } of values) texts.push(key, value ?? '');
  if (record.dynamicNodes) texts.push(JSON.stringify(record.dynamicNodes));
  // no character has more than three bytes for each of its units
  if (texts.reduce((sum, text) => sum + text.length, 0) * 3 <= maxBytes) return;
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const { nodeId } = record;
  if (bytes > maxBytes)
    throw new ContextTooLargeError(`What node '${nodeId}' writes`, bytes, maxBytes, { runId, nodeId });
}

/** The row of a turn that ends without any code of its node having run to its end. */
export function failureWrite(facts: TurnFacts, error: ErrorRecord): TurnWrite {
  const outcome = { status: 'failed' as const, taken: NO_EDGES.taken, writes: [], inputsWritten: [], error };
  const record = recordOf(facts, outcome);
  return { runId: facts.runId, record, values: [] };
}

/** Whether the node's output is written: that of one which waits is when it goes on. */
export function hasOutput(execution: Execution): boolean {
  if (execution.status === 'failed') return execution.rescuer !== undefined;
  return execution.status === 'completed' && execution.result !== undefined;
}

function outputText(
  execution: Execution,
  nodeId: string,
  codec: ValueCodec,
  ids: { runId: string; nodeId: string },
): string | undefined {
  if (execution.status === 'failed') return execution.rescuer === undefined ? undefined : codec.encode(null, nodeId);
  if (!execution.result) return undefined;
  return codec.encode(execution.result.output, `The output of node '${nodeId}'`, ids);
}

function details(execution: Execution, edges: EdgeDecision): Partial<TurnRecord> {
  if (execution.status === 'failed') {
    return { error: execution.error, ...(execution.rescuer === undefined ? {} : { rescuer: execution.rescuer }) };
  }
  if (execution.status === 'awaiting')
    return { awaiting: execution.details, ...(execution.error ? { error: execution.error } : {}) };
  const result: NodeResult | undefined = execution.result;
  const gather = (result?.output as { gatherNodeId?: unknown } | null | undefined)?.gatherNodeId;
  const dynamic = edges.dynamicNodes ?? result?.dynamicNodes ?? [];
  const batch = batchOf(result);
  return {
    // flowcraft takes any value, and finds no edge for one that is no text
    ...(typeof result?.action === 'string' && result.action !== '' ? { action: result.action } : {}),
    ...(dynamic.length > 0 ? { dynamicNodes: dynamic } : {}),
    ...(edges.rescuedAdded ? { rescuedAdded: edges.rescuedAdded } : {}),
    ...(batch ? { batch } : {}),
    ...(typeof gather === 'string' && (batch || dynamic.length > 0) ? { gather } : {}),
  };
}

/** Of the facts only what they are: callers hand in rows, too. Named first: see CONTRIBUTING, "Hot paths". */
function recordOf(
  { nodeId, turn, token, passes, worker, attempts, claims, startedAt, endedAt }: TurnFacts,
  outcome: Omit<TurnRecord, keyof TurnFacts>,
): TurnRecord {
  return { nodeId, turn, token, passes, worker, attempts, claims, startedAt, endedAt, ...outcome };
}
