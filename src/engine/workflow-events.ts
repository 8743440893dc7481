import type { RunStatus } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { ActiveRun } from './active-run.js';
import type { NodeError } from './run-failure.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';
import { workflowError } from './run-outcome.js';

/**
 * Tells the event bus flowcraft's events of whole runs, in the process in which they happen: the start where the run was
 * accepted, the rest where it was found to have come to that. At least once, in the order and with the payloads of the
 * in-process runtime, which has none for subflows.
 */
export class WorkflowEvents {
  constructor(
    private readonly flowcraft: FlowcraftRuntime,
    private readonly clock: Clock,
  ) {}

  /** In-process both come with each run. */
  started(run: ActiveRun): void {
    if (run.record.parent) return;
    void this.flowcraft.emit({ type: 'workflow:start', payload: payloadOf(run) });
    void this.flowcraft.emit({ type: 'workflow:resume', payload: payloadOf(run) });
  }

  /** A run that awaits has finished for now: so says the in-process runtime. */
  became(run: ActiveRun, status: RunStatus, errors: readonly NodeError[]): void {
    if (run.record.parent || status === 'running') return;
    if (status === 'cancelled') void this.flowcraft.emit({ type: 'workflow:pause', payload: payloadOf(run) });
    const failures = errors.length > 0 ? { errors: errors.map((error) => workflowError(error)) } : {};
    const payload = { ...payloadOf(run), status, ...(status === 'cancelled' ? this.cancelled() : failures) };
    void this.flowcraft.emit({ type: 'workflow:finish', payload });
  }

  private cancelled() {
    const timestamp = new Date(this.clock.now()).toISOString();
    const message = 'Workflow execution cancelled';
    return { errors: [{ name: 'WorkflowError', message, isFatal: false, timestamp }] };
  }
}

function payloadOf({ runId, plan }: ActiveRun): { blueprintId: string; executionId: string } {
  return { blueprintId: plan.id, executionId: runId };
}
