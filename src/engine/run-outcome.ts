import type { ISerializer, WorkflowResult } from 'flowcraft';
import { isEndStatus, type RunStatus } from '../core/run.js';
import type { RunStore, StatusRow } from '../ports/run-store.js';
import { isPlainJson } from './context-json.js';
import { errorsOf, type NodeError } from './finisher.js';

export interface RunOutcome {
  readonly runId: string;
  /** On a timeout, the status as it is then. */
  readonly status: RunStatus;
  /** As `FlowRuntime.run()` returns it. */
  readonly result?: WorkflowResult;
  readonly reason?: string;
  readonly errors?: readonly NodeError[];
  readonly timedOut: boolean;
}

/** Makes of the status row of a run what flowcraft's own runtime would have returned. */
export class RunOutcomes {
  constructor(
    private readonly store: RunStore,
    private readonly serializer: ISerializer,
    private readonly context: (runId: string) => Promise<Record<string, unknown>>,
  ) {}

  async of(runId: string, status: RunStatus, row: StatusRow | undefined, timedOut: boolean): Promise<RunOutcome> {
    const outcome = { runId, status, timedOut, ...(row?.reason === undefined ? {} : { reason: row.reason }) };
    if (row?.result !== undefined && isEndStatus(status))
      return { ...outcome, ...(await this.stored(runId, row.result)) };
    if (status !== 'awaiting') return outcome;
    const context = await this.context(runId);
    return { ...outcome, result: { context, serializedContext: this.serializer.serialize(context), status } };
  }

  private async stored(
    runId: string,
    text: string,
  ): Promise<{ result: WorkflowResult; errors?: readonly NodeError[] }> {
    const { serializer, store } = this;
    const stored = JSON.parse(text) as {
      context?: Record<string, unknown>;
      status: WorkflowResult['status'];
      errors?: NodeError[];
    };
    const context = stored.context === undefined ? await this.context(runId) : this.revived(stored.context);
    const errors = stored.errors ?? (stored.status === 'cancelled' ? errorsOf(await store.turns(runId, false)) : []);
    const result = { context, serializedContext: serializer.serialize(context), status: stored.status };
    if (errors.length === 0) return { result };
    return { result: { ...result, errors: errors.map((e) => workflowError(e)) }, errors };
  }

  private revived(context: Record<string, unknown>): Record<string, unknown> {
    const { serializer } = this;
    return isPlainJson(serializer) ? context : serializer.deserialize(JSON.stringify(context));
  }
}

/** As flowcraft words it. */
export function workflowError(error: NodeError): NonNullable<WorkflowResult['errors']>[number] {
  const { nodeId, message, at, cause } = error;
  const original = Object.assign(
    new Error(message, cause ? { cause: Object.assign(new Error(cause.message), { name: cause.name }) } : undefined),
    { nodeId },
  );
  return { nodeId, message, timestamp: at, isFatal: false, name: 'FlowcraftError', originalError: original };
}
