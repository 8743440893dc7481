import {
  DIContainer,
  FlowRuntime,
  JsonSerializer,
  ServiceTokens,
  WorkflowState,
  type FlowcraftEvent,
  type IAsyncContext,
  type IEventBus,
  type ILogger,
  type NodeClass,
  type NodeFunction,
  type NodeRegistry,
  type RuntimeOptions,
  type WorkflowBlueprint,
} from 'flowcraft';
import { isInternalKey } from '../core/context-view.js';
import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import { evaluatorFor } from './own-property-evaluator.js';
import { WatchedEvaluator } from './watched-evaluator.js';

/** flowcraft does not export its ExecutionContext; this is what the executor primitive needs of it. */
export type ExecutionContext = Parameters<FlowRuntime<Context, Dependencies>['getExecutorForNode']>[1];
type Context = Record<string, unknown>;
type Dependencies = Record<string, unknown>;
type Implementation = NodeFunction | NodeClass;
type ExecutionContextClass = new (
  blueprint: WorkflowBlueprint,
  state: WorkflowState<Context>,
  registry: Map<string, NodeFunction | NodeClass>,
  executionId: string,
  runtime: FlowRuntime<Context, Dependencies>,
  services: ExecutionContext['services'],
  signal?: AbortSignal,
) => ExecutionContext;

/** `timestamp`: ISO 8601; flowcraft's own events have none. */
export type EventListener = (event: FlowcraftEvent & { readonly timestamp: string }) => void;

/** Of the many events that nobody listens to. */
const UNHEARD = Promise.resolve();

/** flowcraft's runtime as the engine uses it: built from the user's options or container, events observed. */
export class FlowcraftRuntime {
  readonly runtime: FlowRuntime<Context, Dependencies>;
  /** The user's own registration, without the built-in nodes. */
  readonly userRegistry: Record<string, unknown>;
  readonly blueprints: Record<string, WorkflowBlueprint>;
  readonly evaluator: WatchedEvaluator;
  private readonly listeners = new Set<EventListener>();
  private readonly contextClass: ExecutionContextClass;
  private readonly hasBus: boolean;
  private readonly replaced = new Map<NodeFunction | NodeClass, NodeClass>();
  private own: { of: number; implementations: Map<string, NodeFunction | NodeClass> } | undefined;

  /**
   * @param source flowcraft's RuntimeOptions, or its DI container
   * @param nodes further node implementations, by name
   * @param adapter what `dependencies.adapter` is for nodes
   */
  constructor(
    source: RuntimeOptions | DIContainer,
    nodes: NodeRegistry,
    adapter: unknown,
    private readonly clock: Clock,
    logger: Logger,
  ) {
    const given = source instanceof DIContainer ? fromContainer(source) : source;
    const tell = async (event: FlowcraftEvent): Promise<void> => {
      const stamped = { ...event, timestamp: new Date(this.clock.now()).toISOString() };
      for (const listener of this.listeners) listener(stamped);
      try {
        await given.eventBus?.emit(stamped);
      } catch (error) {
        logger.error(`The event bus failed for '${event.type}'; the run goes on.`, { error });
      }
    };
    const eventBus: IEventBus = {
      emit: (event) => {
        // the engine's own keys are nobody else's business
        const isOwn = event.type === 'context:change' && isInternalKey(event.payload.key);
        return this.isHeard && !isOwn ? tell(event) : UNHEARD;
      },
    };
    this.hasBus = given.eventBus !== undefined;
    this.evaluator = new WatchedEvaluator(evaluatorFor(given.evaluator, logger));
    this.userRegistry = { ...(given.registry ?? {}), ...nodes };
    this.blueprints = { ...(given.blueprints ?? {}) };
    const options = {
      ...given,
      registry: this.userRegistry as NodeRegistry,
      blueprints: this.blueprints,
      dependencies: { adapter, ...given.dependencies },
      eventBus,
      evaluator: this.evaluator,
      logger: given.logger ?? quiet(logger),
      serializer: given.serializer ?? new JsonSerializer(),
    } as RuntimeOptions;
    this.runtime = new FlowRuntime<Context, Dependencies>(options);
    if (source instanceof DIContainer && source.has(ServiceTokens.Orchestrator)) {
      const orchestrator: unknown = source.resolve(ServiceTokens.Orchestrator);
      this.runtime.orchestrator = orchestrator as FlowRuntime<Context, Dependencies>['orchestrator'];
    }
    const setup = this.runtime as unknown as {
      _setupExecutionContext(b: WorkflowBlueprint, s: object): ExecutionContext;
    };
    this.contextClass = setup._setupExecutionContext({ id: '', nodes: [], edges: [] }, {})
      .constructor as ExecutionContextClass;
  }

  /** Executes this node wherever a node of flowcraft is registered, under whatever name. */
  replace(original: NodeClass, node: NodeClass): void {
    this.replaced.set(original, node);
  }

  hasImplementation(uses: string): boolean {
    return this.runtime.registry.has(uses);
  }

  /** Never fails: what the event bus throws is logged. */
  async emit(event: FlowcraftEvent): Promise<void> {
    await this.runtime.eventBus.emit(event);
  }

  on(listener: EventListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * The execution of one node of one run; `executionId` is the run id.
   * @param own the implementation of one node type, for this execution only
   */
  executionContext(
    blueprint: WorkflowBlueprint,
    context: IAsyncContext,
    runId: string,
    signal: AbortSignal,
    own?: { readonly uses: string; readonly wrap: (implementation: Implementation) => Implementation },
  ): ExecutionContext {
    const { runtime } = this;
    const state = new WorkflowState<Context>({}, context);
    const services = {
      logger: runtime.logger,
      eventBus: runtime.eventBus,
      serializer: runtime.serializer,
      evaluator: runtime.evaluator,
      middleware: runtime.middleware,
      dependencies: runtime.dependencies,
    };
    const registry = this.implementations();
    const given = own && registry.get(own.uses);
    const seen = own && given ? new OverlaidRegistry(registry, own.uses, own.wrap(given)) : registry;
    return new this.contextClass(blueprint, state, seen, runId, runtime, services, signal);
  }

  /** Whether anybody listens to events. */
  get isHeard(): boolean {
    return this.hasBus || this.listeners.size > 0;
  }

  /** flowcraft's decisions on edges, with events that say which run they are of. */
  decisions(executionId: string): Decisions {
    const { runtime } = this;
    if (!this.isHeard) return runtime;
    const emit = (event: FlowcraftEvent) => runtime.eventBus.emit(ofExecution(event, executionId));
    const { logicHandler } = runtime as unknown as { logicHandler: Decisions };
    return Object.create(logicHandler, { eventBus: { value: { emit } } }) as Decisions;
  }

  private implementations(): Map<string, NodeFunction | NodeClass> {
    const { registry } = this.runtime;
    if (this.own?.of === registry.size) return this.own.implementations;
    const own = new Map<string, NodeFunction | NodeClass>();
    for (const [name, original] of registry) own.set(name, this.replaced.get(original) ?? original);
    this.own = { of: registry.size, implementations: own };
    return own;
  }
}

/** In-process one bus hears one run, so some of flowcraft's events name none; here one hears many. */
export function ofExecution(event: FlowcraftEvent, executionId: string): FlowcraftEvent {
  return { ...event, payload: { ...event.payload, executionId } } as FlowcraftEvent;
}

type Decisions = Pick<FlowRuntime<Context, Dependencies>, 'determineNextNodes'>;

/** A registry with another implementation of one node type: a copy at every hop would grow with the registry. */
class OverlaidRegistry extends Map<string, Implementation> {
  constructor(
    private readonly base: ReadonlyMap<string, Implementation>,
    private readonly uses: string,
    private readonly own: Implementation,
  ) {
    super();
  }

  override get(uses: string): Implementation | undefined {
    return uses === this.uses ? this.own : this.base.get(uses);
  }

  override has(uses: string): boolean {
    return this.base.has(uses);
  }

  override *[Symbol.iterator](): MapIterator<[string, Implementation]> {
    for (const [uses, implementation] of this.base) yield [uses, uses === this.uses ? this.own : implementation];
  }
}

function fromContainer(container: DIContainer): RuntimeOptions {
  const resolve = <T>(token: symbol | string): T | undefined =>
    container.has(token) ? container.resolve(token) : undefined;
  const options: Record<string, unknown> = {
    logger: resolve(ServiceTokens.Logger),
    serializer: resolve(ServiceTokens.Serializer),
    evaluator: resolve(ServiceTokens.Evaluator),
    eventBus: resolve(ServiceTokens.EventBus),
    middleware: resolve(ServiceTokens.Middleware),
    registry: resolve(ServiceTokens.NodeRegistry),
    blueprints: resolve(ServiceTokens.BlueprintRegistry),
    dependencies: resolve(ServiceTokens.Dependencies),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** flowcraft's log lines name ids only in their metadata, which may also hold inputs: pass on the ids. */
function quiet(logger: Logger): ILogger {
  const fields = (meta?: Record<string, unknown>) => ({
    ...(typeof meta?.['executionId'] === 'string' ? { runId: meta['executionId'] } : {}),
    ...(typeof meta?.['nodeId'] === 'string' ? { nodeId: meta['nodeId'] } : {}),
  });
  return {
    debug: (message, meta) => logger.debug(message, fields(meta)),
    info: (message, meta) => logger.debug(message, fields(meta)),
    warn: (message, meta) => logger.debug(message, fields(meta)),
    error: (message, meta) => logger.debug(message, fields(meta)),
  };
}
