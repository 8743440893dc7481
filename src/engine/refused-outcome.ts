import { ErrorCode, FlowcraftKafkaError } from '../core/errors.js';
import { EdgeEvaluationError, OutcomeRefusedError } from '../core/limit-errors.js';
import type { TurnRecord } from '../core/run.js';
import type { TurnWrite } from '../ports/run-store.js';
import { errorRecord } from './node-error.js';
import { failureWrite, type TurnFacts } from './turn-commit.js';
import { WorkerStopping } from './turn-claimer.js';

/** What says something about the servers or this process, and nothing about the outcome that was to be stored. */
const OF_THE_SURROUNDINGS = new Set<string>([
  ErrorCode.Unavailable,
  ErrorCode.SchemaMissing,
  ErrorCode.TopicMissing,
  ErrorCode.EncryptionKeyUnknown,
  ErrorCode.DecryptionFailed,
  ErrorCode.Closed,
  ErrorCode.IllegalState,
]);

/** Whether an outcome can't be stored because of what it is: repeating the node would lead to the same. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof FlowcraftKafkaError) return !OF_THE_SURROUNDINGS.has(error.code);
  if (error instanceof WorkerStopping) return false;
  // of the database driver: the server has refused the statement
  return !(error instanceof Error && error.name === 'ResponseError');
}

/** What is recorded if no edge out of the node can be decided: the run ends with that, whatever else would follow. */
export function endingWrite(facts: TurnFacts, cause: Error): TurnWrite {
  const { nodeId, runId } = facts;
  const own = new EdgeEvaluationError(nodeId, { cause, nodeId, runId });
  const { cause: root } = errorRecord(cause);
  return failureWrite(facts, { ...errorRecord(own), ...(root ? { cause: root } : {}), endsRun: true });
}

/**
 * What is recorded in place of such an outcome: the node has failed, and its fallback steps in if it has one.
 * @param fallback a node of the run
 */
export function refusedOutcome(
  facts: TurnFacts,
  fallback: string | undefined,
  error: unknown,
  encodedNull: string,
): TurnWrite {
  const { cause } = errorRecord(error);
  const own = error instanceof FlowcraftKafkaError ? error : new OutcomeRefusedError(facts.nodeId, { cause: error });
  const write = failureWrite(facts, { ...errorRecord(own), ...(cause ? { cause } : {}) });
  if (fallback === undefined) return write;
  const record: TurnRecord = { ...write.record, rescuer: fallback, output: encodedNull };
  return { ...write, record, values: [{ key: `_outputs.${facts.nodeId}`, value: encodedNull }] };
}
