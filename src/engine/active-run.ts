import { LRUCache } from 'lru-cache';
import { BlueprintNotFoundError, FlowcraftKafkaError } from '../core/errors.js';
import { ForeignContextInvalidError } from '../core/limit-errors.js';
import type { Job } from '../core/envelope.js';
import type { BlueprintPlan } from '../core/plan.js';
import type { RunRecord } from '../core/run.js';
import type { ValueCodec } from '../core/value-codec.js';
import type { Clock } from '../ports/clock.js';
import type { RunStore } from '../ports/run-store.js';
import type { BlueprintCatalog } from './blueprint-catalog.js';
import { encodeInput, newRun } from './new-run.js';

const RUNS_KEPT = 5_000;
const OUTPUT_BYTES_KEPT = 32 * 1024 * 1024;

/** What never changes about a run, as one process holds it while the run is active there. */
export interface ActiveRun {
  readonly runId: string;
  /** What nodes and events see as execution id: the run id, in a child run that of the run at the top. */
  readonly executionId: string;
  readonly record: RunRecord;
  readonly plan: BlueprintPlan;
  /** The initial context: serialized values by key. */
  readonly base: ReadonlyMap<string, string>;
}

/** How often a run was opened again. */
export function retriesOf(record: RunRecord): number {
  return record.retries ?? 0;
}

/** The message that makes somebody execute a turn. */
export function jobOf({ runId, plan, record }: ActiveRun, nodeId: string, turn: string): Job {
  return { runId, blueprintId: plan.id, nodeId, turn, ...(record.retries ? { retries: record.retries } : {}) };
}

/** Finds runs by id and keeps the active ones; adopts those that a foreign client started. */
export class ActiveRuns {
  private readonly runs = new LRUCache<string, ActiveRun>({ max: RUNS_KEPT });
  /** Reads of runs that are under way. */
  private readonly reading = new Map<string, Promise<ActiveRun | undefined>>();
  /** Outputs of settled turns are immutable, so those made or read here lately need not be read again. */
  readonly outputs = new LRUCache<string, string>({
    maxSize: OUTPUT_BYTES_KEPT,
    sizeCalculation: (text) => text.length + 100,
  });

  constructor(
    private readonly store: RunStore,
    private readonly catalog: BlueprintCatalog,
    private readonly codec: ValueCodec,
    private readonly maxContextBytes: number,
    private readonly clock: Clock,
  ) {}

  /** Undefined if there is no such run. @throws BlueprintNotFoundError if its blueprint was never stored */
  async find(runId: string): Promise<ActiveRun | undefined> {
    const known = this.runs.get(runId);
    if (known) return known;
    // the messages of a run come in bursts. One that was not there yet may be by now
    const shared = this.reading.get(runId);
    if (shared) {
      const found = (await shared) ?? this.runs.get(runId);
      if (found) return found;
      // a read that has begun since has begun after this was asked
      const later = this.reading.get(runId);
      if (later && later !== shared) return later;
    }
    const read = this.read(runId);
    this.reading.set(runId, read);
    try {
      return await read;
    } finally {
      if (this.reading.get(runId) === read) this.reading.delete(runId);
    }
  }

  private async read(runId: string): Promise<ActiveRun | undefined> {
    const record = await this.store.run(runId);
    return record ? this.hold(record) : undefined;
  }

  async hold(record: RunRecord): Promise<ActiveRun> {
    const plan = await this.catalog.pinned(record.blueprintId, record.blueprintHash);
    const base = new Map(Object.entries(JSON.parse(record.input) as Record<string, string>));
    const executionId = record.parent?.rootRunId ?? record.runId;
    const run: ActiveRun = { runId: record.runId, executionId, record, plan, base };
    this.runs.set(record.runId, run);
    return run;
  }

  /**
   * Makes a foreign client's run one of ours, at its first job: the context row that it wrote becomes the initial
   * context. Undefined if the client wrote nothing for this run.
   * @throws BlueprintNotFoundError if this process does not know the blueprint
   * @throws ForeignContextInvalidError if what the client wrote can be no initial context
   */
  async adopt(job: Job): Promise<ActiveRun | undefined> {
    if (!this.catalog.knows(job.blueprintId)) throw new BlueprintNotFoundError(job.blueprintId, this.catalog.ids());
    const foreign = await this.store.foreign(job.runId);
    if (!foreign) return undefined;
    const plan = this.catalog.current(job.blueprintId);
    const input = this.foreignInput(job.runId, foreign.data);
    const subflows = await this.catalog.save(plan);
    const options = plan.subflows.length > 0 ? { subflows } : {};
    const { run } = await this.store.accept(newRun(plan, job.runId, input, this.clock.now(), { options }));
    return this.hold(run);
  }

  /** As `find`, but as the run is now: it may have been opened again since it was read here. */
  async current(runId: string): Promise<ActiveRun | undefined> {
    const record = await this.store.run(runId);
    if (!record) return undefined;
    const known = this.runs.get(runId);
    const isSame = known && retriesOf(known.record) === retriesOf(record) && known.record.status === record.status;
    return isSame ? known : this.hold(record);
  }

  /** The run itself if it was retried so often when it was read here; otherwise as it is now. */
  async ofAttempt(run: ActiveRun, retries: number): Promise<ActiveRun> {
    return retries === retriesOf(run.record) ? run : ((await this.current(run.runId)) ?? run);
  }

  private foreignInput(runId: string, data: string | undefined): string {
    let context: unknown;
    try {
      context = data === undefined ? {} : JSON.parse(data);
    } catch {
      // the error of the parser quotes the data
      throw new ForeignContextInvalidError(runId, 'is no JSON');
    }
    if (typeof context !== 'object' || context === null || Array.isArray(context))
      throw new ForeignContextInvalidError(runId, 'is no JSON object');
    try {
      return encodeInput(context as Record<string, unknown>, this.codec, this.maxContextBytes);
    } catch (error) {
      if (!(error instanceof FlowcraftKafkaError)) throw error;
      throw new ForeignContextInvalidError(runId, `is refused: ${error.message}`);
    }
  }

  forget(runId: string): void {
    this.runs.delete(runId);
  }
}
