import { isEndStatus, type RunStatus } from '../core/run.js';
import { delay, type Clock } from '../ports/clock.js';
import { closedError } from './client-calls.js';
import type { RunDescription } from './run-description.js';

/** What happened in a run, in the order in which it was recorded. */
export type RunEvent =
  | {
      readonly type: 'node';
      readonly runId: string;
      readonly nodeId: string;
      readonly turn: string;
      readonly status: 'running' | 'awaiting' | 'completed' | 'failed' | 'cancelled';
      readonly at: string;
    }
  | { readonly type: 'run'; readonly runId: string; readonly status: RunStatus; readonly at: string };

const POLL_MS = 250;

/**
 * Follows a run by its descriptions, so that watching it costs its workers nothing. Ends with the run.
 * @param leaving aborted when the application closes: the iterator then throws
 * @throws ClosedError
 */
export async function* followRun(
  runId: string,
  describe: () => Promise<RunDescription>,
  clock: Clock,
  leaving: AbortSignal,
): AsyncGenerator<RunEvent, void, undefined> {
  const seen = new Map<string, string>();
  let status: RunStatus | undefined;
  const now = () => new Date(clock.now()).toISOString();
  for (;;) {
    // the run may have ended while the application drained
    const isLast = leaving.aborted;
    const run = await describe().catch((error: unknown) => {
      throw isLast ? closedError({ runId }) : error;
    });
    for (const node of run.nodes) {
      const key = `${node.nodeId}\u001f${node.turn}`;
      if (node.status === 'ready' || seen.get(key) === node.status) continue;
      seen.set(key, node.status);
      const { nodeId, turn } = node;
      yield { type: 'node', runId, nodeId, turn, status: node.status, at: node.times.endedAt ?? now() };
    }
    if (run.status !== status) {
      status = run.status;
      yield { type: 'run', runId, status, at: run.times.endedAt ?? now() };
    }
    if (isEndStatus(status)) return;
    if (isLast) throw closedError({ runId });
    await delay(clock, POLL_MS, leaving);
  }
}
