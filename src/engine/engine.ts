import { setMaxListeners } from 'node:events';
import {
  BatchGatherNode,
  BatchScatterNode,
  SubflowNode,
  WebhookNode,
  type DIContainer,
  type NodeRegistry,
  type RuntimeOptions,
} from 'flowcraft';
import { isEndStatus, type TurnName } from '../core/run.js';
import { ValueCodec } from '../core/value-codec.js';
import type { Clock, Ids } from '../ports/clock.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RunSignals } from '../ports/run-signals.js';
import type { RunStore } from '../ports/run-store.js';
import type { TimerIndex, TimerRows } from '../ports/timers.js';
import { Abilities } from './abilities.js';
import { ActiveRuns, type ActiveRun } from './active-run.js';
import { Activity } from './activity.js';
import { BatchNodes } from './batch-nodes.js';
import { BlueprintCatalog } from './blueprint-catalog.js';
import { ClaimedAhead } from './claimed-ahead.js';
import { Client } from './client.js';
import { ClientCalls } from './client-calls.js';
import { AHEAD_PER_PERMIT, aheadWaitOf, type EngineOptions } from './engine-options.js';
import { Finisher } from './finisher.js';
import { FlowcraftRuntime } from './flowcraft-runtime.js';
import { EngineJobHandler } from './job-handler.js';
import { Intake } from './intake.js';
import { LeaseKeeper, RunCancelled } from './lease-keeper.js';
import { Opener } from './opener.js';
import { Permits } from './permits.js';
import { Persistence } from './persistence.js';
import { Prober } from './prober.js';
import { Rebuilder } from './rebuilder.js';
import { Reconciler } from './reconciler.js';
import { Reservations } from './reservations.js';
import { Resumer } from './resumer.js';
import { Retrier } from './retrier.js';
import { ChildRuns } from './child-runs.js';
import { WaitingTurns } from './waiting-turns.js';
import type { ContextSources } from './run-context.js';
import { RunEnder } from './run-ender.js';
import { SettledHere } from './settled-here.js';
import { RunStarter } from './run-starter.js';
import { RunTimers } from './run-timers.js';
import { RunWaiter } from './run-waiter.js';
import { TimerKeeper } from './timer-keeper.js';
import { TurnClaimer } from './turn-claimer.js';
import { TurnExecutor } from './turn-executor.js';
import { TurnOutcomes } from './turn-outcome.js';
import { TurnProcessor } from './turn-processor.js';
import { TurnSettler } from './turn-settler.js';
import { TurnWriter } from './turn-writer.js';
import { TurnTimers } from './turn-timers.js';
import { UnsentTurns } from './unsent-turns.js';
import { Waits } from './waits.js';
import { WebhookCalls } from './webhook-calls.js';
import { TimeLimit } from './time-limit.js';
import { WebhookEndpoints } from './webhook-endpoints.js';
import { webhookNode } from './webhook-node.js';
import { Worker } from './worker.js';
import { WorkflowEvents } from './workflow-events.js';

/** Who waits when the application closes is told within this time, unless a server is away. */
const LAST_LOOKS_MS = 1_000;

/** The servers and the environment that an engine works with. */
export interface EngineDrivers {
  readonly queue: JobQueue;
  readonly store: RunStore;
  readonly ledger: Ledger;
  readonly signals: RunSignals;
  readonly timerRows: TimerRows;
  readonly timerIndex: TimerIndex;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
}

export interface EngineConfiguration {
  readonly runtime: RuntimeOptions | DIContainer;
  /** Implementations beside those of the runtime, by name. */
  readonly nodes?: NodeRegistry;
  /** What nodes find as `dependencies.adapter`. */
  readonly adapter?: unknown;
  readonly options: EngineOptions;
}

/** One process's share in the fleet: a client, a worker and a reconciler over the same drivers. */
export class Engine {
  readonly flowcraft: FlowcraftRuntime;
  readonly catalog: BlueprintCatalog;
  readonly client: Client;
  readonly worker: Worker;
  readonly reconciler: Reconciler;
  readonly processor: TurnProcessor;
  readonly finisher: Finisher;
  readonly prober: Prober;
  readonly handler: EngineJobHandler;
  readonly runs: ActiveRuns;
  /** Calls that wait for a server to come back. */
  readonly persistence: Persistence;
  /** Takes what was posted to the URL of a webhook; `WebhookCalls.receive` says more. */
  readonly receive: (token: string, body: unknown) => Promise<boolean>;
  private readonly stopped = new AbortController();
  private readonly leaving = new AbortController();
  private readonly lastLooks: TimeLimit;
  private readonly subscribe: () => () => void;
  private unsubscribe: (() => void) | undefined;

  constructor(drivers: EngineDrivers, configuration: EngineConfiguration) {
    const { queue, store, ledger, signals, clock, ids, logger } = drivers;
    const { options } = configuration;
    const workerId = ids.workerId();
    const stopping = new AbortController();
    // whatever waits for a server or a claim listens to these
    setMaxListeners(0, stopping.signal, this.stopped.signal, this.leaving.signal);
    this.flowcraft = new FlowcraftRuntime(
      configuration.runtime,
      configuration.nodes ?? {},
      configuration.adapter,
      clock,
      logger,
    );
    const events = new WorkflowEvents(this.flowcraft, clock);
    this.persistence = new Persistence(clock, ids, logger, this.stopped.signal);
    const { persistence, flowcraft } = this;
    const { serializer } = flowcraft.runtime;
    const { maxValueBytes, maxValueDepth, maxContextBytes } = options.limits;
    const codec = new ValueCodec(serializer, maxValueBytes, maxValueDepth);
    this.catalog = new BlueprintCatalog(flowcraft, store, logger, options);
    this.runs = new ActiveRuns(store, this.catalog, codec, maxContextBytes, clock);
    const { runs } = this;
    const sources: ContextSources = { store, runs, codec, persistence };
    const settled = new SettledHere();
    this.finisher = new Finisher(
      store,
      ledger,
      signals,
      persistence,
      clock,
      logger,
      flowcraft,
      sources,
      settled,
      options,
    );
    const { finisher } = this;
    const rebuilder = new Rebuilder({
      ledger,
      store,
      queue,
      finisher,
      persistence,
      clock,
      ids,
      logger,
      worker: workerId,
      options,
    });
    const leases = new LeaseKeeper(ledger, clock, logger, workerId, options.worker.leaseMs);
    const activity = new Activity(ledger, store, clock, logger, options.reconciler.stalledThresholdSeconds * 1000);
    const permits = new Permits(options.worker.concurrency);
    const intake = new Intake(options.worker.concurrency * 2);
    const claimer = new TurnClaimer(
      ledger,
      store,
      runs,
      rebuilder,
      persistence,
      permits,
      intake,
      clock,
      ids,
      logger,
      workerId,
      options,
      stopping.signal,
    );
    const endpoints = new WebhookEndpoints({ flowcraft, sources, clock, ids, settings: options.webhooks });
    const executor = new TurnExecutor(flowcraft, sources, leases, clock, ids, workerId, options.limits, endpoints);
    const timers: TimerKeeper = new TimerKeeper({
      rows: drivers.timerRows,
      index: drivers.timerIndex,
      ledger,
      persistence,
      clock,
      logger,
      worker: workerId,
      fire: (timer) => (timer.kind === 'turn' ? turnTimers.fire(timer) : runTimers.fire(timer)),
    });
    const ender = new RunEnder(store, ledger, finisher, persistence);
    const runTimers: RunTimers = new RunTimers({ keeper: timers, finisher, ender, ledger, queue, sources, clock });
    const starter = new RunStarter(
      store,
      ledger,
      queue,
      rebuilder,
      runTimers,
      runs,
      this.catalog,
      persistence,
      codec,
      clock,
      ids,
      options,
      (run) => events.started(run),
    );
    const settler = new TurnSettler(ledger, persistence, workerId, options);
    const waiting = new WaitingTurns({
      store,
      ledger,
      queue,
      executor,
      settler,
      rebuilder,
      finisher,
      persistence,
      worker: workerId,
      options,
    });
    const children = new ChildRuns({
      flowcraft,
      runs,
      catalog: this.catalog,
      starter,
      waiting,
      finisher,
      ender,
      sources,
      clock,
      leaseMs: options.worker.leaseMs,
      maxDepth: options.limits.maxSubflowDepth,
      random: () => ids.random(),
    });
    const turnTimers: TurnTimers = new TurnTimers({ keeper: timers, waiting, ledger, queue, sources, clock });
    const webhookCalls = new WebhookCalls({ sources, waiting, clock, ids, logger });
    const waits = new Waits(waiting, turnTimers, runTimers, children, webhookCalls);
    const beganToWait = (run: ActiveRun, name: TurnName) => waits.beganToWait(run, name);
    rebuilder.onWaiting = async (run, name) => void (await waits.arm(run, name));
    flowcraft.replace(SubflowNode, children.nodeClass());
    flowcraft.replace(WebhookNode, webhookNode(endpoints, sources, configuration.adapter));
    const batches = new BatchNodes(runs, sources);
    flowcraft.replace(BatchScatterNode, batches.scatter());
    flowcraft.replace(BatchGatherNode, batches.gather());
    finisher.onChildEnd = (child) => children.childEnded(child);
    finisher.onCutShort = (run, interrupted) => children.cutShort(run, interrupted);
    const abilities = new Abilities(flowcraft, this.catalog, options);
    const ahead = new ClaimedAhead({
      ledger,
      permits,
      persistence,
      clock,
      logger,
      most: options.worker.concurrency * AHEAD_PER_PERMIT,
      waitMs: aheadWaitOf(options),
      stopping: stopping.signal,
    });
    const unsent = new UnsentTurns(queue, ledger, runs, rebuilder, persistence, clock);
    const reservations = new Reservations(permits, ahead, abilities, stopping.signal, clock, options.worker.maxHoldMs);
    this.processor = new TurnProcessor({
      queue,
      store,
      ledger,
      claimer,
      executor,
      outcomes: new TurnOutcomes(executor, abilities, leases, store, persistence, clock),
      writer: new TurnWriter(store, executor, persistence, logger, (write) => turnTimers.record(write)),
      settler,
      rebuilder,
      finisher,
      settled,
      unsent,
      activity,
      persistence,
      permits,
      clock,
      logger,
      options,
      beganToWait,
      ahead,
      reservations,
      opener: new Opener({
        queue,
        ledger,
        persistence,
        reservations,
        unsent,
        clock,
        logger,
        worker: workerId,
        options,
        stopping: stopping.signal,
      }),
    });
    this.prober = new Prober(
      store,
      ledger,
      queue,
      runs,
      rebuilder,
      finisher,
      (run) => children.endIfOrphan(run),
      beganToWait,
      persistence,
      logger,
    );
    this.handler = new EngineJobHandler({
      queue,
      runs,
      abilities,
      processor: this.processor,
      prober: this.prober,
      unsent,
      intake,
      persistence,
      clock,
      ids,
      logger,
      options,
      stopping: stopping.signal,
    });
    this.worker = new Worker({
      id: workerId,
      queue,
      ledger,
      handler: this.handler,
      processor: this.processor,
      leases,
      timers,
      activity,
      clock,
      logger,
      options,
      stopping,
    });
    this.reconciler = new Reconciler({
      store,
      ledger,
      queue,
      runs,
      finisher,
      clock,
      logger,
      worker: workerId,
      options,
    });
    const calls = new ClientCalls(persistence, clock, logger, options.client.callTimeoutMs, this.stopped.signal);
    this.receive = (token, body) => webhookCalls.receive(calls, token, body);
    const waiter = new RunWaiter(store, ledger, signals, clock, this.leaving.signal);
    this.lastLooks = new TimeLimit(clock, LAST_LOOKS_MS);
    this.client = new Client({
      queue,
      logger,
      store,
      ledger,
      signals,
      runs,
      starter,
      waiter,
      retrier: new Retrier({ store, ledger, runs, finisher, rebuilder, timers: runTimers, codec, persistence }),
      resumer: new Resumer(waiting, runs, sources),
      webhooks: endpoints,
      finisher,
      ender,
      sources,
      persistence,
      serializer,
      calls,
      clock,
      leaving: this.leaving.signal,
    });
    this.subscribe = () => {
      const endActivity = finisher.onStatus(({ runId }, status) => {
        activity.forget(runId);
        if (isEndStatus(status)) ahead.doubt(runId);
      });
      const endEvents = finisher.onStatus((run, status, errors) => events.became(run, status, errors));
      const endCancel = signals.onCancel((runId) => {
        ahead.doubt(runId);
        leases.abortRun(runId, new RunCancelled());
      });
      const endWaits = waiter.listen();
      return () => {
        endActivity();
        endEvents();
        endCancel();
        endWaits();
      };
    };
  }

  /** Reads the blueprints and begins to listen. Call it when the drivers are connected and all nodes are registered. */
  open(): void {
    this.catalog.registerAll();
    this.unsubscribe ??= this.subscribe();
  }

  /**
   * Tells whoever waits for a run how it has ended, or that this process closes. Call it when the worker has drained:
   * nodes may wait, too. Resolves when all have been told, or a second later.
   */
  async endWaits(): Promise<void> {
    this.leaving.abort();
    await this.lastLooks.race(this.client.waitsEnded());
  }

  /** Gives up whatever still waits for a server. After this the engine is of no use. */
  close(): void {
    this.leaving.abort();
    this.unsubscribe?.();
    this.stopped.abort();
  }
}
