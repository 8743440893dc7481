import type { ISerializer } from 'flowcraft';
import { RunEndedError, RunNotFoundError } from '../core/errors.js';
import { assertRunId } from '../core/identifiers.js';
import { startTurns } from '../core/replay.js';
import type { EndStatus, TurnRecord } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Logger } from '../ports/logger.js';
import type { Ledger } from '../ports/ledger.js';
import type { RunSignals } from '../ports/run-signals.js';
import type { RunStore } from '../ports/run-store.js';
import type { ActiveRun, ActiveRuns } from './active-run.js';
import type { ClientCalls } from './client-calls.js';
import {
  assertInput,
  cancelInput,
  listInput,
  resumeInput,
  retryInput,
  startInput,
  waitInput,
  webhookInput,
} from './client-input.js';
import { DeadLetters } from './dead-letters.js';
import { beforeStart } from './delayed-start.js';
import type { Finisher } from './finisher.js';
import type { Persistence } from './persistence.js';
import type { WebhookEndpoint, WebhookEndpoints } from './webhook-endpoints.js';
import type { Answer, Resumer } from './resumer.js';
import type { Retrier, RetryOptions, RetryResult } from './retrier.js';
import { RunContext, type ContextSources } from './run-context.js';
import { awaitingKeys, describeRun, type RunDescription } from './run-description.js';
import { followRun, type RunEvent } from './run-events.js';
import { RunList, type ListOptions, type RunPage } from './run-list.js';
import { RunOutcomes, type RunOutcome } from './run-outcome.js';
import type { RunHandle, RunStarter, StartOptions } from './run-starter.js';
import type { RunEnder } from './run-ender.js';
import type { RunWaiter, WaitOptions } from './run-waiter.js';

export interface ClientParts {
  readonly queue: JobQueue;
  readonly logger: Logger;
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly signals: RunSignals;
  readonly runs: ActiveRuns;
  readonly starter: RunStarter;
  readonly waiter: RunWaiter;
  readonly resumer: Resumer;
  readonly webhooks: WebhookEndpoints;
  readonly retrier: Retrier;
  readonly finisher: Finisher;
  readonly ender: RunEnder;
  readonly sources: ContextSources;
  readonly persistence: Persistence;
  readonly serializer: ISerializer;
  readonly calls: ClientCalls;
  readonly clock: Clock;
  /** Aborted when the application closes: nobody waits any more. */
  readonly leaving: AbortSignal;
}

/** How a node that waits goes on. */
export interface ResumeOptions extends Answer {
  /** The node; may be left out if only one node of the run waits. */
  readonly nodeId?: string;
}

/**
 * Starts runs and answers for them, from any process. Arguments are checked before anything is read or written, and
 * each call ends within a time, whatever the servers do.
 */
export class Client {
  /** Messages that were parked because they can never succeed. */
  readonly deadLetters: DeadLetters;
  private readonly runList: RunList;
  private readonly outcomes: RunOutcomes;
  private readonly waits = new Set<Promise<unknown>>();

  constructor(private readonly parts: ClientParts) {
    const { queue, store, ledger, clock, calls, logger, serializer } = parts;
    this.runList = new RunList(store, clock);
    const newCallId = () => parts.starter.newName().runId;
    this.deadLetters = new DeadLetters({ queue, store, ledger, newCallId, clock, calls, logger });
    this.outcomes = new RunOutcomes(store, serializer, (runId) => this.contextOf(runId));
  }

  async start(blueprintId: string, initialContext: Record<string, unknown>, options: StartOptions): Promise<RunHandle> {
    assertInput('start()', startInput, { blueprintId, initialContext, options });
    const { starter, waiter, calls } = this.parts;
    const chosen = options.runId;
    const name = chosen === undefined ? starter.newName() : { runId: chosen, isNew: false };
    // that a run waits for its time is not announced
    if (name.isNew && !options.delayMs) waiter.expect(name.runId);
    return calls.run('start()', name.runId, () => starter.start(blueprintId, initialContext, options, name));
  }

  async wait(runId: string, options: WaitOptions): Promise<RunOutcome> {
    assertRunId(runId);
    assertInput('waitForWorkflow()', waitInput, options);
    const wait = this.outcome(runId, options).finally(() => this.waits.delete(wait));
    this.waits.add(wait);
    return wait;
  }

  /** Resolves when all who wait for a run have been answered, one way or another. */
  async waitsEnded(): Promise<void> {
    await Promise.allSettled(this.waits);
  }

  private async outcome(runId: string, options: WaitOptions): Promise<RunOutcome> {
    const { status, row, timedOut } = await this.parts.waiter.wait(runId, options);
    return this.read('waitForWorkflow()', runId, () => this.outcomes.of(runId, status, row, timedOut));
  }

  async describe(runId: string): Promise<RunDescription> {
    return this.read('getRun()', runId, () => this.descriptionOf(runId));
  }

  async context(runId: string): Promise<Record<string, unknown>> {
    return this.read('getContext()', runId, () => this.contextOf(runId));
  }

  async list(options: ListOptions): Promise<RunPage> {
    assertInput('listRuns()', listInput, options);
    return this.parts.calls.run('listRuns()', undefined, () => this.runList.page(options));
  }

  async resumeWith(runId: string, options: ResumeOptions): Promise<void> {
    assertRunId(runId);
    assertInput('resume()', resumeInput, options);
    const { nodeId, ...answer } = options;
    await this.resume(runId, nodeId, answer);
  }

  async resume(runId: string, nodeId: string | undefined, answer: Answer): Promise<void> {
    assertRunId(runId);
    assertInput('resume()', resumeInput, { ...answer, nodeId });
    const { calls, resumer, clock } = this.parts;
    await calls.run('resume()', runId, async () => {
      const run = await this.find(runId);
      try {
        await resumer.resume(run, nodeId, answer);
      } catch (error) {
        throw beforeStart(error, run, nodeId, clock.now());
      }
    });
  }

  async createWebhookUrl(runId: string, nodeId: string): Promise<WebhookEndpoint> {
    assertRunId(runId);
    assertInput('createWebhookUrl()', webhookInput, { nodeId });
    return this.parts.calls.run('createWebhookUrl()', runId, async () =>
      this.parts.webhooks.create(await this.find(runId), nodeId),
    );
  }

  async cancel(runId: string, reason: string | undefined): Promise<void> {
    assertRunId(runId);
    assertInput('cancel()', cancelInput, { reason });
    await this.parts.calls.run('cancel()', runId, () => this.cancelRun(runId, reason ?? 'Cancelled by the client.'));
  }

  async retry(runId: string, options: RetryOptions): Promise<RetryResult> {
    assertRunId(runId);
    assertInput('retry()', retryInput, options);
    const id = this.parts.starter.newName().runId;
    return this.parts.calls.run('retry()', runId, async () =>
      this.parts.retrier.retry(await this.find(runId), options, id),
    );
  }

  /** Ends a run as the caller decides, unless it has ended already. Answers the status that it has then. */
  async end(runId: string, status: EndStatus, reason: string | undefined): Promise<EndStatus> {
    return this.parts.ender.end(await this.find(runId), status, reason);
  }

  async *events(runId: string): AsyncGenerator<RunEvent, void, undefined> {
    assertRunId(runId);
    const describe = () => this.read('events()', runId, () => this.descriptionOf(runId));
    yield* followRun(runId, describe, this.parts.clock, this.parts.leaving);
  }

  private async read<T>(call: string, runId: string, work: () => Promise<T>): Promise<T> {
    assertRunId(runId);
    return this.parts.calls.run(call, runId, work);
  }

  private async descriptionOf(runId: string): Promise<RunDescription> {
    const { store, ledger } = this.parts;
    const run = await this.find(runId);
    const [rows, state] = await Promise.all([store.turns(runId, false), ledger.read(runId)]);
    return describeRun(run.record, rows, state, await this.awaitingChildren(rows), startTurns(run.plan));
  }

  private async contextOf(runId: string): Promise<Record<string, unknown>> {
    const run = await this.find(runId);
    const rows = await this.parts.store.turns(runId, false);
    const waiting = run.record.status === 'running' ? awaitingKeys(rows, await this.awaitingChildren(rows)) : {};
    return { ...(await new RunContext(run, this.parts.sources).toJSON()), ...waiting, _executionId: run.executionId };
  }

  private async cancelRun(runId: string, reason: string): Promise<void> {
    const status = await this.end(runId, 'cancelled', reason);
    if (status !== 'cancelled') throw new RunEndedError(runId, status);
  }

  private awaitingChildren(rows: readonly TurnRecord[]): Promise<Set<string>> {
    const children = rows.flatMap((row) => (row.status === 'awaiting' ? (row.awaiting?.childRunId ?? []) : []));
    return this.parts.finisher.awaitingOf(children);
  }

  private async find(runId: string): Promise<ActiveRun> {
    const run = await this.parts.runs.current(runId);
    if (!run) throw new RunNotFoundError(runId);
    return run;
  }
}
