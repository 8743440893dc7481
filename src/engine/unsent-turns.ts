import { delay, type Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { ActiveRun, ActiveRuns } from './active-run.js';
import type { Persistence } from './persistence.js';
import type { Rebuilder } from './rebuilder.js';
import { publishTurns } from './turn-jobs.js';

/** A look reads the whole ledger of a run: the next one, which many may share, comes so much later. */
const BETWEEN_LOOKS_MS = 250;

interface Looks {
  readonly current: Promise<void>;
  /** For those who ask after it has begun. */
  next?: Promise<void>;
}

/**
 * Sends the messages of turns that went on in some worker without one. The message which stood for them comes again when
 * that worker is lost, or has lost the partition: whoever gets it then has to send theirs before it is done.
 */
export class UnsentTurns {
  private readonly looks = new Map<string, Looks>();

  constructor(
    private readonly queue: JobQueue,
    private readonly ledger: Ledger,
    private readonly runs: ActiveRuns,
    private readonly rebuilder: Rebuilder,
    private readonly persistence: Persistence,
    private readonly clock: Clock,
  ) {}

  /** Resolves when the messages are durable of all that have none by now: after a crash hundreds of messages ask at once. */
  send(run: ActiveRun): Promise<void> {
    const looks = this.looks.get(run.runId);
    if (!looks) return this.begin(run);
    return (looks.next ??= this.after(looks.current, run));
  }

  private async after(current: Promise<void>, run: ActiveRun): Promise<void> {
    await current.catch(() => undefined); // whoever asked for that one hears of it
    await delay(this.clock, BETWEEN_LOOKS_MS);
    await this.begin(run);
  }

  private begin(run: ActiveRun): Promise<void> {
    const { runId } = run;
    const looks: Looks = {
      current: this.look(run).finally(() => {
        if (looks.next === undefined && this.looks.get(runId) === looks) this.looks.delete(runId);
      }),
    };
    this.looks.set(runId, looks);
    return looks.current;
  }

  private async look(asked: ActiveRun): Promise<void> {
    const { runId } = asked;
    const { ledger, persistence, rebuilder, runs, queue } = this;
    const state = await persistence.until(() => ledger.read(runId), { runId });
    if (state.get('x') !== undefined) return;
    if (state.fields.size === 0) {
      // which sends all that is open
      await rebuilder.rebuild(asked);
      return;
    }
    const unsent = state.turns().filter((turn) => turn.unsent);
    if (unsent.length === 0) return;
    const run = await persistence.until(() => runs.ofAttempt(asked, Number(state.get('z') ?? 0)), { runId });
    await publishTurns(queue, run, unsent, { areOpen: true });
    await persistence.until(() => ledger.sent(runId, unsent), { runId });
  }
}
