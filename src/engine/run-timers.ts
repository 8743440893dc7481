import { RunTimeoutError } from '../core/errors.js';
import { startTurns } from '../core/replay.js';
import { deadlineOf, isEndStatus, timeLimitOf, type RunRecord } from '../core/run.js';
import { runTimer, type Timer } from '../core/timer.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { ActiveRun } from './active-run.js';
import type { Finisher } from './finisher.js';
import type { ContextSources } from './run-context.js';
import type { RunEnder } from './run-ender.js';
import type { Firing, TimerKeeper } from './timer-keeper.js';

export interface RunTimersParts {
  readonly keeper: Pick<TimerKeeper, 'record' | 'arm'>;
  readonly finisher: Finisher;
  readonly ender: RunEnder;
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly sources: ContextSources;
  readonly clock: Clock;
}

/** The timer of a run that was never accepted is given up so long after it was due. */
const GIVEN_UP_MS = 600_000;

/** The timers of whole runs: a delayed start, and a time by which the run must have ended. */
export class RunTimers {
  constructor(private readonly parts: RunTimersParts) {}

  /** Before the run is accepted. */
  async record(record: RunRecord): Promise<void> {
    for (const timer of timersOf(record)) await this.parts.keeper.record(timer);
  }

  /** After it was accepted, or whenever its timers may have been lost. */
  async arm(record: RunRecord): Promise<void> {
    for (const timer of timersOf(record)) await this.parts.keeper.arm(timer);
  }

  async fire(timer: Timer): Promise<Firing> {
    const { sources, clock } = this.parts;
    const { runs, persistence } = sources;
    const { runId } = timer;
    const run = await persistence.until(() => runs.current(runId), { runId });
    if (!run) return clock.now() > timer.due + GIVEN_UP_MS ? 'over' : 'early';
    const { record } = run;
    if (isEndStatus(record.status)) return 'over';
    if (!timersOf(record).some(({ kind, due }) => kind === timer.kind && due === timer.due)) return 'over';
    await (timer.kind === 'start' ? this.begin(run, timer.due) : this.expire(run));
    return 'fired';
  }

  private async begin(run: ActiveRun, startAt: number): Promise<void> {
    const { finisher, ledger, queue, sources } = this.parts;
    const { runId, plan } = run;
    const { store, persistence } = sources;
    const [state, rows, now] = await persistence.until(
      () => Promise.all([ledger.read(runId), store.turns(runId, false), ledger.now()]),
      { runId },
    );
    const waiting = startTurns(plan).filter(({ node, turn }) => state.turn(node, turn)?.state === 'W');
    // a ledger that was lost is rebuilt with all of them ready; a run without any ends when somebody looks at it
    const isUnknown = state.fields.size === 0 || startTurns(plan).length === 0;
    if (rows.length > 0 || (waiting.length === 0 && !isUnknown)) return;
    await finisher.unpause(run, now);
    if (isUnknown) await queue.publish({ runId, blueprintId: plan.id, nodeId: '', probe: true });
    await Promise.all(
      waiting.map(({ node, turn }) =>
        queue.publish({ runId, blueprintId: plan.id, nodeId: node, turn, pausedUntil: startAt }),
      ),
    );
  }

  private async expire(run: ActiveRun): Promise<void> {
    const { runId, record } = run;
    const error = new RunTimeoutError(runId, timeLimitOf(record) ?? 0, record.parent);
    await this.parts.ender.end(run, 'failed', error.message);
  }
}

function timersOf(record: RunRecord): Timer[] {
  const { runId, options } = record;
  const [startAt, deadline] = [options?.startAt, deadlineOf(record)];
  return [
    ...(startAt === undefined ? [] : [runTimer(runId, 'start', startAt)]),
    ...(deadline === undefined ? [] : [runTimer(runId, 'deadline', deadline)]),
  ];
}
