import type { Origin } from '../core/settlement.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore, TurnWrite } from '../ports/run-store.js';
import type { ActiveRun } from './active-run.js';
import type { Persistence } from './persistence.js';
import { isRefusal } from './refused-outcome.js';
import type { TurnExecutor } from './turn-executor.js';

/** Records what turns came to. */
export class TurnWriter {
  constructor(
    private readonly store: RunStore,
    private readonly executor: TurnExecutor,
    private readonly persistence: Persistence,
    private readonly logger: Logger,
    /** Of a turn that is to be recorded as waiting. */
    private readonly beforeWait: (write: TurnWrite) => Promise<void>,
  ) {}

  /**
   * What has been written: another outcome in place of one that the store refuses for what it is. Undefined: the claim
   * has run out before the write was made. After that another may have the claim, and read what is written.
   */
  write(
    run: ActiveRun,
    write: TurnWrite,
    inTime: () => boolean,
    origin: Origin | undefined,
  ): Promise<TurnWrite | undefined> {
    const { runId, record } = write;
    const ids = { runId, nodeId: record.nodeId, turn: record.turn };
    return this.persistence
      .until(() => this.attempt(write, inTime), ids)
      .catch(async (error: unknown) => {
        if (!isRefusal(error)) throw error;
        this.logger.error('What a node came to could not be stored: it has failed.', { ...ids, error });
        const definition = await this.executor.definition(run, record.nodeId, origin);
        const refused = await this.executor.refused(run, { runId, ...record }, definition, error);
        return this.persistence.until(() => this.attempt(refused, inTime), ids);
      });
  }

  private attempt(write: TurnWrite, inTime: () => boolean): Promise<TurnWrite | undefined> {
    if (!write.record.awaiting) return this.put(write, inTime);
    return this.beforeWait(write).then(() => this.put(write, inTime));
  }

  private put(write: TurnWrite, inTime: () => boolean): Promise<TurnWrite | undefined> {
    return inTime() ? this.store.write(write).then(() => write) : Promise.resolve(undefined);
  }
}
