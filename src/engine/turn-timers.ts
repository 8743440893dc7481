import { isEndStatus, type AwaitingDetails, type TurnName, type TurnRecord } from '../core/run.js';
import { turnTimer, type Timer } from '../core/timer.js';
import type { TurnWrite } from '../ports/run-store.js';
import type { Execution } from './node-execution.js';
import type { ContextSources } from './run-context.js';
import type { Firing, TimerKeeper } from './timer-keeper.js';
import type { WaitingTurns } from './waiting-turns.js';

/** A timer of a turn that never came to be recorded is given up so long after it was due. */
const GIVEN_UP_MS = 600_000;

/** The timers of turns that wait: for a time to come, or for an answer that has a time limit. */
export class TurnTimers {
  constructor(
    private readonly keeper: Pick<TimerKeeper, 'record' | 'arm'>,
    private readonly waiting: WaitingTurns,
    private readonly sources: ContextSources,
    private readonly now: () => number,
  ) {}

  /** Before a turn is recorded: makes the timer durable that it needs, if any. */
  async record({ runId, record }: TurnWrite): Promise<void> {
    const timer = timerOf(runId, record);
    if (timer) await this.keeper.record(timer);
  }

  /** After a turn has begun to wait, or whenever its timer may have been lost. */
  async arm(runId: string, row: TurnRecord): Promise<void> {
    const timer = timerOf(runId, row);
    if (timer) await this.keeper.arm(timer);
  }

  async fire(timer: Timer): Promise<Firing> {
    const { runs, persistence, store } = this.sources;
    const { runId } = timer;
    const run = await persistence.until(() => runs.find(runId), { runId });
    const record = run && (await persistence.until(() => store.run(runId), { runId }));
    if (!run || !record || isEndStatus(record.status)) return 'over';
    const row = await persistence.until(() => store.turn(runId, timer.nodeId, timer.turn), { runId });
    if (!row) return this.now() > timer.due + GIVEN_UP_MS ? 'over' : 'early';
    const due = timerOf(runId, row)?.due;
    if (due === undefined || due > timer.due) return 'over';
    const ending = await this.waiting.settle(run, row, async () => this.ending(row));
    return ending === 'taken' ? 'later' : ending === 'settled' ? 'fired' : 'over';
  }

  /** How a wait ends by its timer. */
  private ending(row: TurnRecord): Execution {
    const output = row.output === undefined ? undefined : this.sources.codec.decode(row.output);
    return { status: 'completed', result: { output } };
  }
}

function timerOf(runId: string, row: TurnName & { status: string; awaiting?: AwaitingDetails }): Timer | undefined {
  if (row.status !== 'awaiting' || row.awaiting?.wakeUpAt === undefined) return undefined;
  const due = Date.parse(row.awaiting.wakeUpAt);
  return Number.isNaN(due) ? undefined : turnTimer(runId, row, due);
}
