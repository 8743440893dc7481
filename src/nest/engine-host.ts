import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { DIContainer, type RuntimeOptions } from 'flowcraft';
import { KafkaAdapter } from '../adapter/kafka-adapter.js';
import type { Drivers } from '../composition/embedded-drivers.js';
import { ConfigurationError, IllegalStateError } from '../core/errors.js';
import { closedError } from '../engine/client-calls.js';
import { Engine } from '../engine/engine.js';
import type { Clock, Ids } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import { exploreBlueprints } from './discovery/blueprint-explorer.js';
import { candidatesOf } from './discovery/candidates.js';
import { FlowEventListeners } from './discovery/flow-event-listeners.js';
import { exploreNodes } from './discovery/node-explorer.js';
import { Registrations } from './discovery/registrations.js';
import { FeatureRegistration } from './feature-registration.js';
import type { OptionProblem } from './options-check.js';
import type { FlowcraftSettings } from './settings.js';
import { FLOWCRAFT_CLOCK, FLOWCRAFT_DRIVERS, FLOWCRAFT_IDS, FLOWCRAFT_LOGGER, FLOWCRAFT_SETTINGS } from './tokens.js';

/**
 * Owns the engine of the application: made when all providers exist, since they are what its nodes are made of, and
 * closed together with the connections as the last thing of all.
 */
@Injectable()
export class EngineHost implements OnModuleInit, OnApplicationShutdown {
  private current: Engine | undefined;
  private opening: Promise<Engine> | undefined;
  private closing: Promise<void> | undefined;
  private starting: Promise<void> | undefined;
  private areProvidersReady = false;
  private endListening: (() => void) | undefined;

  /** Holds secrets, which nobody sees who looks at this object. */
  readonly #settings: FlowcraftSettings;

  constructor(
    @Inject(FLOWCRAFT_SETTINGS) settings: FlowcraftSettings,
    @Inject(FLOWCRAFT_DRIVERS) private readonly drivers: Drivers,
    @Inject(FLOWCRAFT_CLOCK) private readonly clock: Clock,
    @Inject(FLOWCRAFT_IDS) private readonly ids: Ids,
    @Inject(FLOWCRAFT_LOGGER) private readonly logger: Logger,
    private readonly discovery: DiscoveryService,
    private readonly moduleRef: ModuleRef,
  ) {
    this.#settings = settings;
  }

  /** Undefined before it is open. */
  get engine(): Engine | undefined {
    return this.current;
  }

  get isClosed(): boolean {
    return this.closing !== undefined;
  }

  onModuleInit(): void {
    this.areProvidersReady = true;
  }

  /**
   * The open engine.
   * @throws ConfigurationError if the application declares nodes or blueprints that cannot be
   * @throws IllegalStateError while the providers are still being made
   * @throws ClosedError after the application has closed
   */
  async ready(): Promise<Engine> {
    if (this.closing) throw closedError();
    if (!this.areProvidersReady) {
      throw new IllegalStateError(
        'The application is still being put together, so not all nodes are known. Use flowcraft in onModuleInit() or later.',
      );
    }
    this.opening ??= this.open();
    return this.opening;
  }

  /** @throws IllegalStateError if this process executes no nodes */
  assertWorker(): void {
    if (!this.#settings.worker.enabled)
      throw new IllegalStateError('This process has no worker: worker.enabled is false. Set it to true.');
  }

  /**
   * Lets the worker take jobs, whoever asks for it.
   * @throws IllegalStateError unless the worker is enabled and stopped
   */
  async startWorker(): Promise<void> {
    this.assertWorker();
    const { worker } = await this.ready();
    const isStopped = worker.state === 'stopped';
    const started = worker.start();
    if (isStopped) this.starting = started;
    await started;
  }

  /** Resolves when the start of the worker that was last made has ended; rejects as it does. */
  async workerStarted(): Promise<void> {
    await this.starting;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    try {
      this.endListening?.();
      this.current?.close();
    } finally {
      await this.drivers.close();
    }
  }

  private async open(): Promise<Engine> {
    const { drivers, clock, ids, logger } = this;
    const settings = this.#settings;
    const problems: OptionProblem[] = [];
    const candidates = candidatesOf(this.discovery);
    const registrations = new Registrations(problems);
    registrations.addRuntime(settings.runtime);
    for (const { instance } of candidates)
      if (instance instanceof FeatureRegistration) registrations.addFeature(instance.feature);
    for (const node of exploreNodes(candidates, problems)) {
      registrations.addNode(node);
      const { name, source, description } = node;
      logger.debug(`Node type '${name}' is ${source}${description === undefined ? '.' : `: ${description}`}`);
    }
    for (const blueprint of await exploreBlueprints(candidates, problems)) registrations.addBlueprint(blueprint);
    const listeners = new FlowEventListeners(candidates, problems, logger);
    if (problems.length > 0) throw new ConfigurationError(problems);
    const engine = new Engine(
      { ...drivers, clock, ids, logger },
      {
        runtime: withoutBlueprints(settings),
        nodes: registrations.nodes,
        options: settings.engine,
        ...(settings.servers ? { adapter: this.moduleRef.get(KafkaAdapter) } : {}),
      },
    );
    const { blueprints } = engine.flowcraft;
    // all are known before one is checked, since they may name each other
    for (const { key, blueprint } of registrations.blueprints) blueprints[key] = blueprint;
    const older = registrations.blueprints.filter(({ key, blueprint }) => blueprints[key] !== blueprint);
    const latest = { ...blueprints };
    for (const { blueprint } of older) engine.catalog.register(blueprint);
    Object.assign(blueprints, latest);
    engine.open();
    this.endListening = listeners.listenTo(engine);
    this.current = engine;
    return engine;
  }
}

/** The blueprints are registered with those of all other sources; a container's are read by the engine. */
function withoutBlueprints({ runtime }: FlowcraftSettings): RuntimeOptions | DIContainer {
  return runtime instanceof DIContainer ? runtime : { ...runtime, blueprints: {} };
}
