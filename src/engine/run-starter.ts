import { BlueprintInvalidError, RunIdConflictError } from '../core/errors.js';
import type { Job } from '../core/envelope.js';
import { assertRunId } from '../core/identifiers.js';
import { LedgerState } from '../core/ledger-state.js';
import { startTurns } from '../core/replay.js';
import type { BlueprintPlan } from '../core/plan.js';
import { isDelayed, type ParentTurn, type RunOptions, type RunRecord } from '../core/run.js';
import type { ValueCodec } from '../core/value-codec.js';
import type { Clock, Ids } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunStore, StatusWrite } from '../ports/run-store.js';
import { jobOf, type ActiveRun, type ActiveRuns } from './active-run.js';
import type { BlueprintCatalog } from './blueprint-catalog.js';
import type { EngineOptions } from './engine-options.js';
import { encodeInput, isSameInput, newRun } from './new-run.js';
import type { Persistence } from './persistence.js';
import type { Rebuilder } from './rebuilder.js';
import type { RunTimers } from './run-timers.js';
import { optionsOf, type StartOptions } from './start-options.js';

export type { StartOptions } from './start-options.js';

/** So long after it was accepted, a run is taken for one that nobody else has found yet. */
const LAUNCH_MS = 5_000;
/** Microseconds. Nothing comes before a run whose id is new, so its first status, one below, and its tokens lie above any. */
const BEFORE_ALL = 2;

/** What a run is to be called. */
export interface RunName {
  readonly runId: string;
  /** The id was made here, so nobody else has it. */
  readonly isNew: boolean;
  /** When that was, so that each attempt at the start writes the same. */
  readonly at?: number;
}

export interface RunHandle {
  readonly runId: string;
  /** The run was started before, with the same blueprint and input. */
  readonly existing: boolean;
}

/** Accepts runs. When `start` has returned, the run ends or waits, whatever happens to this process. */
export class RunStarter {
  constructor(
    private readonly store: RunStore,
    private readonly ledger: Ledger,
    private readonly queue: JobQueue,
    private readonly rebuilder: Rebuilder,
    private readonly timers: RunTimers,
    private readonly runs: ActiveRuns,
    private readonly catalog: BlueprintCatalog,
    private readonly persistence: Persistence,
    private readonly codec: ValueCodec,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly options: EngineOptions,
    private readonly onAccepted: (run: ActiveRun) => void,
  ) {}

  newName(): RunName {
    return { runId: this.ids.runId(), isNew: true, at: this.clock.now() };
  }

  /** Safe to repeat with the same name. */
  async start(
    blueprintId: string,
    initialContext: Record<string, unknown>,
    options: StartOptions,
    { runId, isNew, at: now = this.clock.now() }: RunName,
  ): Promise<RunHandle> {
    assertRunId(runId);
    const plan = this.current(blueprintId, options.version);
    if (plan instanceof Error) {
      const run = isNew ? undefined : await this.store.run(runId);
      if (run?.blueprintId !== blueprintId || !isOfVersion(run, options.version)) throw plan;
      const own = await this.catalog.pinned(blueprintId, run.blueprintHash);
      return this.again(run, newRun(own, runId, this.encode(initialContext), now), options.version);
    }
    if (options.strict && !plan.isDag) {
      throw new BlueprintInvalidError(
        plan.id,
        `Workflow '${plan.id}' failed strictness check: Cycles are not allowed.`,
      );
    }
    const input = this.encode(initialContext);
    const subflows = await this.catalog.save(plan);
    const record = newRun(plan, runId, input, now, { ...options, options: optionsOf(options, now, subflows) });
    await this.timers.record(record);
    if (isNew) {
      await this.create(record);
      return { runId, existing: false };
    }
    const { accepted, run } = await this.store.accept(record);
    if (!accepted) return this.again(run, record, options.version);
    await this.begin(await this.runs.hold(run));
    return { runId, existing: false };
  }

  /** The plan of a new run, or why there is none: the run may be an old one, of a version that is gone from the code. */
  private current(blueprintId: string, version: string | undefined): BlueprintPlan | Error {
    try {
      return this.catalog.current(blueprintId, version);
    } catch (error) {
      return error as Error;
    }
  }

  /** A start of a run that exists. @throws RunIdConflictError if it is not the same start again */
  private async again(run: RunRecord, wanted: RunRecord, version: string | undefined): Promise<RunHandle> {
    const { runId } = run;
    if (run.blueprintId !== wanted.blueprintId) throw new RunIdConflictError(runId, 'blueprint');
    if (run.inputHash !== wanted.inputHash && !isSameInput(run.input, wanted.input))
      throw new RunIdConflictError(runId, 'input');
    if (!isOfVersion(run, version)) throw new RunIdConflictError(runId, 'blueprint version');
    if (run.status === 'running') await this.nudge(await this.runs.hold(run));
    return { runId, existing: true };
  }

  /** Starts the child run of a turn, unless an earlier execution of the turn has done so. */
  async startChild(
    plan: BlueprintPlan,
    runId: string,
    initialContext: Record<string, unknown>,
    parent: ParentTurn,
    options: StartOptions = {},
    pins: RunOptions['subflows'] = {},
  ): Promise<void> {
    const subflows = await this.persistence.until(() => this.catalog.save(plan, pins), { runId });
    await this.acceptChild(plan, runId, this.encode(initialContext), parent, options, subflows);
  }

  /** Starts a child run anew, under another id, from the context that it began with. */
  async restartChild(child: ActiveRun, runId: string, parent: ParentTurn, options: StartOptions = {}): Promise<void> {
    await this.acceptChild(child.plan, runId, child.record.input, parent, options, child.record.options?.subflows);
  }

  private encode(initialContext: Record<string, unknown>): string {
    return encodeInput(initialContext, this.codec, this.options.limits.maxContextBytes);
  }

  private async acceptChild(
    plan: BlueprintPlan,
    runId: string,
    input: string,
    parent: ParentTurn,
    options: StartOptions,
    subflows: RunOptions['subflows'],
  ): Promise<void> {
    const now = this.clock.now();
    const record = newRun(plan, runId, input, now, { parent, options: optionsOf(options, now, subflows) });
    await this.timers.record(record);
    const { accepted, run } = await this.persistence.until(() => this.store.accept(record), { runId });
    if (run.status !== 'running') return;
    const active = await this.runs.hold(run);
    await (accepted ? this.begin(active) : this.nudge(active));
  }

  /** A run under an id that was made here: nobody else can start it, so nothing has to be decided. */
  private async create(record: RunRecord): Promise<void> {
    const { runId } = record;
    // only what waits for a time has to know the ledger's
    const isForLater = record.options?.startAt !== undefined;
    const now = isForLater ? await this.persistence.until(() => this.ledger.now(), { runId }) : BEFORE_ALL;
    const acceptedAt = this.clock.now();
    await this.store.create(record, this.firstStatus(record, now));
    const run = await this.runs.hold(record);
    this.onAccepted(run);
    await this.launch(run, now, acceptedAt);
  }

  /** A run that was accepted here and now. */
  private async begin(run: ActiveRun): Promise<void> {
    const { runId, record } = run;
    this.onAccepted(run);
    const acceptedAt = this.clock.now();
    const now = await this.persistence.until(() => this.ledger.now(), { runId });
    await Promise.all([
      this.persistence.until(() => this.store.writeStatus(this.firstStatus(record, now)), { runId }),
      this.launch(run, now, acceptedAt),
    ]);
  }

  private async launch(run: ActiveRun, now: number, acceptedAt: number): Promise<void> {
    const { runId, plan } = run;
    await this.persistence.until(() => this.open(run, now, acceptedAt), { runId });
    await this.timers.arm(run.record);
    if (isDelayed(run.record, now)) return;
    const [first] = startTurns(plan);
    // a run without a node to start with ends when somebody looks at it
    await this.queue.publish(first ? jobOf(run, first.node, first.turn) : probeOf(run));
  }

  /** The state of a run that has just begun. Later than that, others may have found the run, and its journal tells. */
  private async open(run: ActiveRun, now: number, acceptedAt: number): Promise<void> {
    if (this.clock.now() - acceptedAt > LAUNCH_MS) {
      await Promise.all([this.rebuilder.rebuild(run), this.ledger.touch([run.runId])]);
      return;
    }
    const state = new LedgerState();
    const incarnation = `${run.runId}:${Math.floor(this.ids.random() * 1e12)}`;
    const starts = startTurns(run.plan);
    const isForLater = isDelayed(run.record, now);
    state.open(starts, incarnation, now, isForLater);
    // the message of the first stands for those of the others
    if (!isForLater) state.unsend(starts.slice(1));
    await this.ledger.begin(run.runId, state);
  }

  /** Whoever has had this run accepted may have come no further than that: a probe finds what is missing. */
  private async nudge(run: ActiveRun): Promise<void> {
    const { runId } = run;
    if (!(await this.persistence.until(() => this.store.status(runId), { runId }))) {
      const now = await this.persistence.until(() => this.ledger.now(), { runId });
      await this.persistence.until(() => this.store.writeStatus(this.firstStatus(run.record, now)), { runId });
    }
    await this.persistence.until(() => this.ledger.touch([runId]), { runId });
    await this.queue.publish(probeOf(run));
  }

  /** Below every token of the run, which may have begun to work meanwhile, and below its end. */
  private firstStatus(record: RunRecord, now: number): StatusWrite {
    const stamp = Math.min(now - 1, record.createdAt * 1000);
    const status = isDelayed(record, now) && !record.parent ? 'awaiting' : 'running';
    return { runId: record.runId, status, stamp, at: this.clock.now() };
  }
}

function isOfVersion({ blueprintVersion }: RunRecord, version: string | undefined): boolean {
  return version === undefined || version === blueprintVersion;
}

function probeOf({ runId, plan }: ActiveRun): Job {
  return { runId, blueprintId: plan.id, nodeId: '', probe: true };
}
