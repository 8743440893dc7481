import type { TurnName, TurnRecord } from '../core/run.js';
import type { ActiveRun } from './active-run.js';
import type { ChildRuns } from './child-runs.js';
import type { RunTimers } from './run-timers.js';
import { isAnswerable } from '../core/webhook.js';
import type { TurnTimers } from './turn-timers.js';
import type { WaitingTurns } from './waiting-turns.js';
import type { WebhookCalls } from './webhook-calls.js';

/** Looks after turns that wait: whether what they wait for will be noticed, and whether it has come already. */
export class Waits {
  constructor(
    private readonly waiting: WaitingTurns,
    private readonly turnTimers: TurnTimers,
    private readonly runTimers: RunTimers,
    private readonly children: ChildRuns,
    private readonly calls: WebhookCalls,
  ) {}

  /** Whenever the timers of a turn may have been lost. Answers its row. */
  async arm(run: ActiveRun, name: TurnName): Promise<TurnRecord | undefined> {
    const row = await this.waiting.find(run.runId, name);
    if (row) await this.turnTimers.arm(run.runId, row);
    else await this.runTimers.arm(run.record); // the first turns of a delayed run have no rows yet
    return row;
  }

  /** A turn has begun to wait, or may have: who had to come may have come before. */
  async beganToWait(run: ActiveRun, name: TurnName): Promise<void> {
    const row = await this.arm(run, name);
    if (row?.awaiting?.childRunId !== undefined) await this.children.beganToWait(run, name);
    else if (isAnswerable(row)) await this.calls.beganToWait(run, row);
  }
}
