import { setTimeout as sleep } from 'node:timers/promises';
import { FlowcraftKafkaError, type FlowcraftClient, type RunOutcome } from '../../src/index.js';
import type { Fleet } from './fleet.js';
import { answerOf, contextOf, FLOWS, type Flow } from './flows.js';
import type { Random } from './random.js';

/** One run of the load, as its client saw it. */
export interface TrackedRun {
  readonly runId: string;
  readonly number: number;
  readonly flow: Flow;
  readonly askedAt: number;
  /** When `start` had returned: from then on it must not be lost. */
  acceptedAt?: number;
  endedAt?: number;
  outcome?: RunOutcome;
  /** The nodes that it waits for, for a run that nobody answers. */
  waitsFor?: readonly string[];
  /** The client's cancel had returned. */
  isCancelled?: boolean;
  /** What the client did not expect. */
  problem?: string;
}

const RETRY_MS = 300;
/** Errors after which a client tries again; NodeNotAwaiting: an earlier try of the same answer may have worked. */
/** The servers were away, or too slow: repeating is safe. */
const RETRIED = new Set(['FLOW_UNAVAILABLE', 'FLOW_CALL_TIMEOUT', 'FLOW_ILLEGAL_STATE']);

/** Starts runs at a steady rate, answers and cancels some, and waits for all of them. */
export class Load {
  readonly runs: TrackedRun[] = [];
  private readonly open = new Set<Promise<void>>();
  private isOn = false;
  private isOver = false;
  private starting: Promise<void> = Promise.resolve();

  constructor(
    private readonly client: FlowcraftClient,
    private readonly fleet: Fleet,
    private readonly random: Random,
    private readonly perSecond: number,
    private readonly prefix: string,
  ) {}

  begin(): void {
    this.isOn = true;
    this.starting = this.produce();
  }

  /** No further run is started. */
  async pause(): Promise<void> {
    this.isOn = false;
    await this.starting;
  }

  /** Runs that have neither ended nor wait for an answer that nobody gives. */
  get unfinished(): TrackedRun[] {
    return this.runs.filter((run) => run.endedAt === undefined && run.waitsFor === undefined && !run.problem);
  }

  async untilFinished(withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (this.unfinished.length > 0 && Date.now() < deadline) await sleep(200);
  }

  /** Answers what was left waiting. */
  answerLeft(): void {
    for (const run of this.runs) {
      if (run.waitsFor === undefined) continue;
      delete run.waitsFor;
      this.follow(run, this.settle(run, true));
    }
  }

  async close(): Promise<void> {
    this.isOver = true;
    await Promise.race([Promise.allSettled(this.open), sleep(5000)]);
  }

  private async produce(): Promise<void> {
    const { random } = this;
    while (this.isOn) {
      const number = this.runs.length;
      const flow = random.weighted(FLOWS);
      const runId = `${this.prefix}-${flow.name}-${number}`;
      const run: TrackedRun = { runId, number, flow, askedAt: Date.now() };
      this.runs.push(run);
      this.follow(run, this.drive(run));
      await sleep((-Math.log(1 - random.next()) * 1000) / this.perSecond);
    }
  }

  private follow(run: TrackedRun, work: Promise<void>): void {
    const followed = work.catch((error: unknown) => {
      if (!this.isOver) run.problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    this.open.add(followed);
    void followed.finally(() => this.open.delete(followed));
  }

  private async drive(run: TrackedRun): Promise<void> {
    await this.start(run);
    run.acceptedAt = Date.now();
    if (run.flow.fate === 'cancelled') await this.cancel(run);
    await this.settle(run, run.flow.fate !== 'left');
  }

  /** Half of the starts go through a worker, which may die on the way; the client repeats them then. */
  private async start({ runId, flow, number }: TrackedRun): Promise<void> {
    const context = contextOf(flow, number);
    const blueprintId = flow.blueprint.id;
    for (;;) {
      const seat = this.random.next() < 0.5 && this.fleet.up.length > 0 ? this.random.pick(this.fleet.up) : undefined;
      if (!seat) {
        await this.retried(() => this.client.start(blueprintId, context, { runId }));
        return;
      }
      const report = await seat.ask({ kind: 'start', runId, blueprintId, context });
      if (report && !report.error) return;
      // a worker that leaves takes no more calls
      const isRetried = (code: string) => code === 'FLOW_CLOSED' || RETRIED.has(code);
      if (report?.error && !isRetried(report.error.code)) throw new Error(report.error.message);
      await sleep(RETRY_MS);
    }
  }

  private async cancel(run: TrackedRun): Promise<void> {
    await sleep(this.random.between(0, 2500));
    try {
      await this.retried(() => this.client.cancel(run.runId, 'by the load'));
      run.isCancelled = true;
    } catch (error) {
      if (!isCode(error, 'FLOW_RUN_ENDED')) throw error;
    }
  }

  private async settle(run: TrackedRun, answers: boolean): Promise<void> {
    const { runId } = run;
    while (!this.isOver) {
      const outcome = await this.retried(() =>
        this.client.waitForWorkflow(runId, { until: 'settled', timeoutMs: 20_000 }),
      );
      if (outcome.timedOut) continue;
      if (outcome.status !== 'awaiting') {
        run.outcome = outcome;
        run.endedAt = Date.now();
        return;
      }
      const { awaiting } = await this.retried(() => this.client.getRun(runId));
      if (!answers && awaiting.length > 0) {
        run.waitsFor = awaiting.map(({ nodeId }) => nodeId);
        return;
      }
      for (const { nodeId, reason } of awaiting) if (reason !== 'timer') await this.answer(run, nodeId);
      await sleep(awaiting.some(({ reason }) => reason === 'timer') ? 300 : 50);
    }
  }

  private async answer(run: TrackedRun, nodeId: string): Promise<void> {
    const answer = { output: answerOf(run.number, nodeId) };
    const seat = this.random.next() < 0.5 && this.fleet.up.length > 0 ? this.random.pick(this.fleet.up) : undefined;
    if (seat) {
      await seat.ask({ kind: 'resume', runId: run.runId, nodeId, answer }); // whatever came of it, the run is looked at again
      return;
    }
    try {
      await this.client.resume(run.runId, { nodeId, ...answer });
    } catch (error) {
      if (!isCode(error, 'FLOW_NODE_NOT_AWAITING') && !isCode(error, 'FLOW_RUN_ENDED') && !isRetried(error))
        throw error;
    }
  }

  private async retried<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isRetried(error) || this.isOver) throw error;
        await sleep(RETRY_MS);
      }
    }
  }
}

function isRetried(error: unknown): boolean {
  return error instanceof FlowcraftKafkaError && RETRIED.has(error.code);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof FlowcraftKafkaError && error.code === code;
}
