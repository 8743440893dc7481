import { BlueprintInvalidError, RunIdConflictError } from '../core/errors.js';
import type { Job } from '../core/envelope.js';
import { assertRunId } from '../core/identifiers.js';
import { LedgerState } from '../core/ledger-state.js';
import { startTurns } from '../core/replay.js';
import type { BlueprintPlan } from '../core/plan.js';
import type { ParentTurn, RunRecord } from '../core/run.js';
import type { ValueCodec } from '../core/value-codec.js';
import type { Clock, Ids } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunStore } from '../ports/run-store.js';
import { encodeInput, hashInput, type ActiveRun, type ActiveRuns } from './active-run.js';
import type { BlueprintCatalog } from './blueprint-catalog.js';
import type { Persistence } from './persistence.js';

export interface StartOptions {
  /** 1 to 128 characters of A-Z a-z 0-9 _ . : -; default: a new UUID (v7). */
  readonly runId?: string;
  /** Of the blueprint; default: the one registered last. */
  readonly version?: string;
  readonly tags?: readonly string[];
  /** Refuse a blueprint with a cycle, as flowcraft's `strict` does. */
  readonly strict?: boolean;
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
    private readonly runs: ActiveRuns,
    private readonly catalog: BlueprintCatalog,
    private readonly persistence: Persistence,
    private readonly codec: ValueCodec,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  async start(blueprintId: string, initialContext: Record<string, unknown>, options: StartOptions): Promise<RunHandle> {
    const plan = this.catalog.current(blueprintId, options.version);
    if (options.strict && !plan.isDag) {
      throw new BlueprintInvalidError(
        plan.id,
        `Workflow '${plan.id}' failed strictness check: Cycles are not allowed.`,
      );
    }
    const runId = options.runId ?? this.ids.runId();
    assertRunId(runId);
    const input = encodeInput(initialContext, this.codec);
    const record: RunRecord = {
      runId,
      blueprintId: plan.id,
      blueprintVersion: plan.version,
      blueprintHash: plan.hash,
      input,
      inputHash: hashInput(input),
      tags: [...(options.tags ?? [])],
      createdAt: this.clock.now(),
      status: 'running',
    };
    await this.catalog.save(plan);
    const { accepted, run } = await this.store.accept(record);
    if (!accepted) {
      if (run.blueprintId !== record.blueprintId) throw new RunIdConflictError(runId, 'blueprint');
      if (run.inputHash !== record.inputHash) throw new RunIdConflictError(runId, 'input');
      if (options.version !== undefined && run.blueprintVersion !== options.version)
        throw new RunIdConflictError(runId, 'blueprint version');
      if (run.status !== 'running') return { runId, existing: true };
    }
    // also for an existing run: whoever started it may have come no further than this
    await this.launch(await this.runs.hold(run), accepted);
    return { runId, existing: !accepted };
  }

  /** Starts the child run of a turn, unless an earlier execution of the turn has done so. */
  async startChild(
    plan: BlueprintPlan,
    runId: string,
    initialContext: Record<string, unknown>,
    parent: ParentTurn,
  ): Promise<void> {
    await this.catalog.save(plan);
    await this.acceptChild(plan, runId, encodeInput(initialContext, this.codec), parent);
  }

  /** Starts a child run anew, under another id, from the context that it began with. */
  async restartChild(child: ActiveRun, runId: string, parent: ParentTurn): Promise<void> {
    await this.acceptChild(child.plan, runId, child.record.input, parent);
  }

  private async acceptChild(plan: BlueprintPlan, runId: string, input: string, parent: ParentTurn): Promise<void> {
    const record: RunRecord = {
      runId,
      blueprintId: plan.id,
      blueprintVersion: plan.version,
      blueprintHash: plan.hash,
      input,
      inputHash: hashInput(input),
      tags: [],
      parent,
      createdAt: this.clock.now(),
      status: 'running',
    };
    const { accepted, run } = await this.persistence.until(() => this.store.accept(record), { runId });
    if (run.status === 'running') await this.launch(await this.runs.hold(run), accepted);
  }

  private async launch(run: ActiveRun, isNew: boolean): Promise<void> {
    const { runId, plan } = run;
    const starts = startTurns(plan);
    const now = await this.persistence.until(() => this.ledger.now(), { runId });
    const state = new LedgerState();
    state.open(starts, `${runId}:${Math.floor(this.ids.random() * 1e12)}`, now);
    await Promise.all([
      this.persistence.until(() => this.ledger.install(runId, state), { runId }),
      this.persistence.until(() => this.writeFirstStatus(runId, now - 1, isNew), { runId }),
      this.persistence.until(() => this.ledger.touch([runId]), { runId }),
    ]);
    const jobs: Job[] = starts.map(({ node, turn }) => ({ runId, blueprintId: plan.id, nodeId: node, turn }));
    // a run without a node to start with ends when somebody looks at it
    if (jobs.length === 0) jobs.push({ runId, blueprintId: plan.id, nodeId: '', probe: true });
    await Promise.all(jobs.map((job) => this.queue.publish(job)));
  }

  /** `stamp` lies below every token of the run. A run that was accepted before may have moved on: its row stays. */
  private async writeFirstStatus(runId: string, stamp: number, isNew: boolean): Promise<void> {
    if (!isNew && (await this.store.status(runId))) return;
    await this.store.writeStatus({ runId, status: 'running', stamp, at: this.clock.now() });
  }
}
