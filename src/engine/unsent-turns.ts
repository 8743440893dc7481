import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import { retriesOf, type ActiveRun, type ActiveRuns } from './active-run.js';
import type { Persistence } from './persistence.js';
import { publishTurns } from './turn-jobs.js';

/**
 * Sends the messages of turns that went on in some worker without one. The message which stood for them comes again when
 * that worker is lost, or has lost the partition: whoever gets it then has to send theirs before it is done.
 */
export class UnsentTurns {
  private readonly underWay = new Map<string, Promise<void>>();
  /** The looks that come after those. */
  private readonly next = new Map<string, Promise<void>>();

  constructor(
    private readonly queue: JobQueue,
    private readonly ledger: Ledger,
    private readonly runs: ActiveRuns,
    private readonly persistence: Persistence,
  ) {}

  /**
   * Resolves when the messages are durable. Whoever asks while a look is under way shares the next one: after a crash
   * hundreds of messages of one run come again at once.
   */
  send(run: ActiveRun): Promise<void> {
    const { runId } = run;
    const before = this.underWay.get(runId);
    if (!before) {
      const look = this.look(run).finally(() => this.underWay.delete(runId));
      this.underWay.set(runId, look);
      return look;
    }
    let next = this.next.get(runId);
    if (!next) {
      const begin = () => {
        this.next.delete(runId);
        return this.send(run);
      };
      next = before.then(begin, begin);
      this.next.set(runId, next);
    }
    return next;
  }

  private async look(asked: ActiveRun): Promise<void> {
    const { runId } = asked;
    const { ledger, persistence, runs, queue } = this;
    const state = await persistence.until(() => ledger.read(runId), { runId });
    if (state.get('x') !== undefined) return;
    const isCurrent = Number(state.get('z') ?? 0) === retriesOf(asked.record);
    const run = (isCurrent ? asked : await persistence.until(() => runs.current(runId), { runId })) ?? asked;
    const unsent = state.turns().filter((turn) => turn.unsent);
    if (unsent.length === 0) return;
    await publishTurns(queue, run, unsent);
    const names = unsent.map(({ node, turn }) => ({ nodeId: node, turn }));
    await persistence.until(() => ledger.sent(runId, names), { runId });
  }
}
