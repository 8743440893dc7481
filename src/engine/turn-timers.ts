import type { NodeDefinition } from 'flowcraft';
import { isEndStatus, isRetry, wakeUpTime, type TurnRecord } from '../core/run.js';
import { turnTimer, type Timer } from '../core/timer.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { TurnWrite } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { Execution } from './node-execution.js';
import type { ContextSources } from './run-context.js';
import type { Firing, TimerKeeper } from './timer-keeper.js';
import type { WaitingTurns } from './waiting-turns.js';

export interface TurnTimersParts {
  readonly keeper: Pick<TimerKeeper, 'record' | 'arm'>;
  readonly waiting: WaitingTurns;
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly sources: ContextSources;
  readonly clock: Clock;
}

/** The timer of a turn that never came to be recorded is given up so long after it was due. */
const GIVEN_UP_MS = 600_000;
/** What a wait that ran into its time limit answers, unless it says otherwise. */
const TIMEOUT_ACTION = 'timeout';

/** The timers of turns that wait: for a time, for their next attempt, or for an answer that has a time limit. */
export class TurnTimers {
  constructor(private readonly parts: TurnTimersParts) {}

  /** Before a turn is recorded: makes the timer durable that it needs, if any. */
  async record({ runId, record }: TurnWrite): Promise<void> {
    const due = wakeUpTime(record);
    if (due !== undefined) await this.parts.keeper.record(turnTimer(runId, record, due));
  }

  /** After a turn has begun to wait, or whenever its timer may have been lost. */
  async arm(runId: string, row: TurnRecord): Promise<void> {
    const due = wakeUpTime(row);
    if (due !== undefined) await this.parts.keeper.arm(turnTimer(runId, row, due));
  }

  async fire(timer: Timer): Promise<Firing> {
    const { sources, clock, waiting } = this.parts;
    const { runs, persistence, store } = sources;
    const { runId } = timer;
    const run = await persistence.until(() => runs.find(runId), { runId });
    const record = run && (await persistence.until(() => store.run(runId), { runId }));
    if (!run || !record || isEndStatus(record.status)) return 'over';
    const row = await persistence.until(() => store.turn(runId, timer.nodeId, timer.turn), { runId });
    if (!row) return clock.now() > timer.due + GIVEN_UP_MS ? 'over' : 'early';
    const due = wakeUpTime(row);
    if (due === undefined || due > timer.due) return 'over';
    if (isRetry(row)) return this.retry(run, row, due);
    const ending = await waiting.settle(run, row, async ({ definition }) => this.ending(definition, row));
    return ending === 'taken' ? 'later' : ending === 'settled' ? 'fired' : 'over';
  }

  private async retry({ runId, plan }: ActiveRun, { nodeId, turn }: TurnRecord, pausedUntil: number): Promise<Firing> {
    const { ledger, queue, sources } = this.parts;
    await sources.persistence.until(() => ledger.touch([runId]), { runId });
    await queue.publish({ runId, blueprintId: plan.id, nodeId, turn, pausedUntil });
    return 'fired';
  }

  /** How a wait ends by its timer: a sleep hands on its input, a wait with a time limit takes an action of its own. */
  private ending({ params }: NodeDefinition, row: TurnRecord): Execution {
    const output = row.output === undefined ? undefined : this.parts.sources.codec.decode(row.output);
    if (row.awaiting?.reason !== 'external_event') return { status: 'completed', result: { output } };
    const { timeoutAction = TIMEOUT_ACTION } = (params ?? {}) as { timeoutAction?: string };
    return { status: 'completed', result: { output, action: timeoutAction } };
  }
}
