import { NodeNotAwaitingError } from '../core/errors.js';
import { isEndStatus, type EndStatus, type TurnRecord } from '../core/run.js';
import { isAnswerable } from '../core/webhook.js';
import type { ActiveRun, ActiveRuns } from './active-run.js';
import type { ContextSources } from './run-context.js';
import type { WaitingTurns } from './waiting-turns.js';

export interface Answer {
  readonly output?: unknown;
  readonly action?: string;
}

/** Gives waiting nodes the answer that they wait for. */
export class Resumer {
  constructor(
    private readonly waiting: WaitingTurns,
    private readonly runs: ActiveRuns,
    private readonly sources: ContextSources,
  ) {}

  /**
   * Of two racing answers to one turn, one wins. The answer to a node that waits for a subflow goes to the node that
   * waits for one in there.
   * @throws NodeNotAwaitingError if the node does not wait, or another answer was first, or no node is named and several
   * wait; that of the child run, if several wait for an answer in a subflow
   * @throws ValueNotSerializableError, ValueTooLargeError if the output can't be stored; the node waits on
   */
  async resume(run: ActiveRun, nodeId: string | undefined, answer: Answer): Promise<void> {
    const rows = await this.waiting.list(run.runId);
    const row = nodeId === undefined && rows.length === 1 ? rows[0] : rows.find((r) => r.nodeId === nodeId);
    const others = rows.filter((r) => r !== row).map((r) => r.nodeId);
    if (!row) throw new NodeNotAwaitingError(run.runId, nodeId, others, endOf(run));
    // refused before anything is settled: an answer that can't be stored would end what has waited for it
    this.sources.codec.encode(answer.output, `The output for node '${row.nodeId}'`, {
      runId: run.runId,
      nodeId: row.nodeId,
    });
    const child = row.awaiting?.childRunId;
    if (child !== undefined) return this.resumeWithin(run, row, child, answer);
    const ending = async () => {
      const before = row.output === undefined ? undefined : this.sources.codec.decode(row.output);
      const output = answer.output === undefined ? before : answer.output;
      return {
        status: 'completed' as const,
        result: { output, ...(answer.action === undefined ? {} : { action: answer.action }) },
      };
    };
    if ((await this.waiting.settle(run, row, ending)) !== 'settled')
      throw new NodeNotAwaitingError(run.runId, nodeId, others, endOf(run));
  }

  private async resumeWithin(run: ActiveRun, row: TurnRecord, childRunId: string, answer: Answer): Promise<void> {
    const child = await this.runs.find(childRunId);
    if (!child) throw new NodeNotAwaitingError(run.runId, row.nodeId, []);
    const rows = await this.waiting.list(childRunId);
    const asked = await this.askedIn(rows);
    // who sleeps can be woken, if nobody waits for more than that
    const meant = asked.length > 0 ? asked : rows;
    const names = [...new Set(meant.map(({ nodeId }) => nodeId))];
    if (names.length > 1) throw new NodeNotAwaitingError(childRunId, undefined, names);
    await this.resume(child, names[0], answer);
  }

  /** Those that wait for an answer: none that sleeps, or whose own subflow waits for none. */
  private async askedIn(rows: readonly TurnRecord[]): Promise<TurnRecord[]> {
    const isAsked = await Promise.all(
      rows.map(async (row) => {
        const child = row.awaiting?.childRunId;
        if (child === undefined) return isAnswerable(row);
        return (await this.askedIn(await this.waiting.list(child))).length > 0;
      }),
    );
    return rows.filter((_, i) => isAsked[i]);
  }
}

function endOf({ record }: ActiveRun): EndStatus | undefined {
  return isEndStatus(record.status) ? record.status : undefined;
}
