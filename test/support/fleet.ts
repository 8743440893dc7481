import type { NodeRegistry, RuntimeOptions, WorkflowBlueprint } from 'flowcraft';
import { DEFAULT_OPTIONS } from '../../src/composition/default-options.js';
import { MemoryServers } from '../../src/drivers/memory/memory-servers.js';
import { SystemIds } from '../../src/drivers/system/system-ids.js';
import { Engine, type EngineDrivers } from '../../src/engine/engine.js';
import type { EngineOptions } from '../../src/engine/engine-options.js';
import { MortalClock } from './mortal-clock.js';
import { RecordingLogger } from './recording-logger.js';

/** The server calls of one process, as they are made. */
export type Intercept = (call: string, args: readonly unknown[], make: () => Promise<unknown>) => Promise<unknown>;

export interface FleetProcess extends EngineDrivers {
  readonly engine: Engine;
  readonly logger: RecordingLogger;
  /** What the group notices when the process is lost: its messages are delivered to others. */
  leave(): Promise<void>;
}

/** Several processes over the same in-memory servers, whose calls a test can hold, drop or count. */
export class Fleet {
  readonly clock = new MortalClock();
  readonly servers = new MemoryServers({ clock: this.clock });
  private readonly engines: Engine[] = [];

  constructor(
    private readonly registry: NodeRegistry,
    private readonly blueprints: readonly WorkflowBlueprint[],
    private readonly leaseMs = 200,
    private readonly runtime: Partial<RuntimeOptions> = {},
  ) {}

  /** @param blueprints what the code of this process has, if it is not what the others have */
  async process(
    intercept: Intercept = (_call, _args, make) => make(),
    blueprints = this.blueprints,
    settings: Partial<EngineOptions['worker']> = {},
  ): Promise<FleetProcess> {
    const logger = new RecordingLogger();
    const given = this.servers.drivers(logger);
    const drivers = {
      queue: watched(given.queue, intercept),
      store: watched(given.store, intercept),
      ledger: watched(given.ledger, intercept),
      signals: given.signals,
      timerRows: watched(given.timerRows, intercept),
      timerIndex: watched(given.timerIndex, intercept),
      clock: this.clock,
      ids: new SystemIds(),
      logger,
    };
    for (const part of [drivers.queue, drivers.store, drivers.ledger, drivers.signals]) await part.connect();
    const worker = { ...DEFAULT_OPTIONS.worker, leaseMs: this.leaseMs, livenessMs: this.leaseMs, ...settings };
    const engine = new Engine(drivers, {
      runtime: {
        ...this.runtime,
        registry: this.registry,
        blueprints: Object.fromEntries(blueprints.map((b) => [b.id, b])),
      },
      options: { ...DEFAULT_OPTIONS, worker },
    });
    this.engines.push(engine);
    engine.open();
    return { engine, ...drivers, leave: () => given.queue.close() };
  }

  end(): void {
    for (const engine of this.engines) engine.close();
    this.clock.die();
  }
}

/** An intercept that loses its process: no call answers from the moment on when `isLast` says so of one that is to be made. */
export function losing(isLast: (call: string, args: readonly unknown[]) => boolean): {
  intercept: Intercept;
  lost: Promise<void>;
} {
  let tell = () => {};
  const lost = new Promise<void>((resolve) => (tell = resolve));
  let isLost = false;
  const intercept: Intercept = (call, args, make) => {
    if (!isLost && isLast(call, args)) {
      isLost = true;
      tell();
    }
    return isLost ? new Promise(() => {}) : make();
  };
  return { intercept, lost };
}

function watched<T extends object>(driver: T, intercept: Intercept): T {
  return new Proxy(driver, {
    get: (target, name: string) => {
      const member = (target as Record<string, unknown>)[name];
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) =>
        intercept(name, args, async () => (await member.apply(target, args)) as Promise<unknown>);
    },
  });
}
