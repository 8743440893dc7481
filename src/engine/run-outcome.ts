import type { ISerializer, WorkflowResult } from 'flowcraft';
import { ValueNotReadableError } from '../core/limit-errors.js';
import { isEndStatus, type RunStatus } from '../core/run.js';
import type { RunStore, StatusRow } from '../ports/run-store.js';
import { isPlainJson } from './context-json.js';
import { errorsOf, type NodeError } from './run-failure.js';

export interface RunOutcome {
  readonly runId: string;
  /** On a timeout, the status as it is then. */
  readonly status: RunStatus;
  /** As `FlowRuntime.run()` returns it. Absent until the run has ended or waits, and if the serializer cannot read its context. */
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
  ): Promise<{ result?: WorkflowResult; errors?: readonly NodeError[] }> {
    const { store } = this;
    const stored = JSON.parse(text) as {
      context?: Record<string, unknown>;
      status: WorkflowResult['status'];
      errors?: NodeError[];
    };
    const errors = stored.errors ?? (stored.status === 'cancelled' ? errorsOf(await store.turns(runId, false)) : []);
    const context = await this.readable(runId, stored.context);
    const result = context && { ...context, status: stored.status };
    if (errors.length === 0) return result ? { result } : {};
    return { ...(result ? { result: { ...result, errors: errors.map((e) => workflowError(e)) } } : {}), errors };
  }

  /** Undefined if the serializer cannot read what is stored: how the run ended is known all the same. */
  private async readable(
    runId: string,
    stored: Record<string, unknown> | undefined,
  ): Promise<Pick<WorkflowResult, 'context' | 'serializedContext'> | undefined> {
    try {
      const context = stored === undefined ? await this.context(runId) : this.revived(stored);
      return { context, serializedContext: this.serializer.serialize(context) };
    } catch (error) {
      if (error instanceof ValueNotReadableError) return undefined;
      throw error;
    }
  }

  private revived(context: Record<string, unknown>): Record<string, unknown> {
    const { serializer } = this;
    if (isPlainJson(serializer)) return context;
    try {
      return serializer.deserialize(JSON.stringify(context));
    } catch (cause) {
      throw new ValueNotReadableError({ cause });
    }
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
