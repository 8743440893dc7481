import { MemoryBroker } from '../../../src/drivers/memory/memory-broker.js';
import { MemoryLedgerData } from '../../../src/drivers/memory/memory-ledger.js';
import { MemorySignalBus } from '../../../src/drivers/memory/memory-run-signals.js';
import { MemoryStoreData } from '../../../src/drivers/memory/memory-run-store.js';
import { LedgerState } from '../../../src/core/ledger-state.js';
import type { EngineConfiguration } from '../../../src/engine/engine.js';
import type { Clock } from '../../../src/ports/clock.js';
import type { JobHandler, RawMessage } from '../../../src/ports/job-queue.js';
import { CalmNetwork, type Fate, type Network, type Step } from './network.js';
import { describe, SimulatedProcess } from './process.js';
import { Random } from './random.js';
import { VirtualTime } from './virtual-time.js';

export interface WorldOptions {
  readonly seed: number;
  /** @default 2 */
  readonly partitions?: number;
  /** Of the consumer group, milliseconds. @default 10 000 */
  readonly sessionTimeoutMs?: number;
  /** Gets a line for everything that happens. */
  readonly trace?: (line: string) => void;
}

/** Sees, and may change, what servers do. `next` serves the call. */
export type Interceptor = (step: Step, next: () => Promise<unknown>) => Promise<unknown>;

/**
 * Three servers, any number of processes and the time, all in one thread: nothing happens unless `run` or `complete` lets
 * it, and all that happens follows from the seed. A call of a process to a server is a step that is released at its
 * moment; after each step everything that it leads to within the processes runs to its end.
 *
 *     const world = new World({ seed });
 *     const worker = world.spawn('w1', () => ({ runtime: { registry, blueprints }, options }));
 *     await world.complete(worker.engine.worker.start());
 *     const { runId } = await world.complete(worker.engine.client.start('order', {}, {}));
 *     await world.run({ until: () => world.servers.store.runs.get(runId)?.status !== 'running', forMs: 60_000 });
 */
export class World {
  readonly seed: number;
  readonly random: Random;
  readonly time = new VirtualTime();
  readonly servers: {
    readonly broker: MemoryBroker;
    readonly store: MemoryStoreData;
    readonly ledger: MemoryLedgerData;
    readonly signals: MemorySignalBus;
  };
  readonly processes: SimulatedProcess[] = [];
  /** Replace it to let calls fail. */
  network: Network;
  readonly sessionTimeoutMs: number;
  /** The clock of the ledger's server; `ledgerSkewMs` moves it. */
  readonly ledgerClock: Clock;
  ledgerSkewMs = 0;
  /** How many events have run. */
  steps = 0;
  /** Called between any two steps. */
  between: (() => void) | undefined;
  onErrorLogged: ((process: SimulatedProcess, message: string, error: unknown) => void) | undefined;
  /** The first one is nearest to the process. */
  readonly interceptors: Interceptor[] = [];
  /** Before an offset is committed. */
  onCommit: ((partition: number, from: number, to: number) => void) | undefined;
  onDelivery: ((process: SimulatedProcess, message: RawMessage, handler: JobHandler) => Promise<void>) | undefined;
  private readonly trace: ((line: string) => void) | undefined;

  constructor({ seed, partitions = 2, sessionTimeoutMs = 10_000, trace }: WorldOptions) {
    this.seed = seed;
    this.trace = trace;
    this.sessionTimeoutMs = sessionTimeoutMs;
    this.random = new Random(seed, 'world');
    this.network = new CalmNetwork(this.random);
    const defer = (run: () => void) => void this.time.after(0, run);
    this.servers = {
      broker: new MemoryBroker({ partitions, defer }),
      store: new MemoryStoreData(),
      ledger: new MemoryLedgerData(),
      signals: new MemorySignalBus(defer),
    };
    this.ledgerClock = {
      now: () => Math.floor(this.time.now + this.ledgerSkewMs),
      after: (ms, run) => this.time.after(ms, run),
    };
  }

  /** A new process with an open engine; its worker is not started. */
  spawn(name: string, configure: (process: SimulatedProcess) => EngineConfiguration, skewMs = 0): SimulatedProcess {
    const process = new SimulatedProcess(this, name, configure, skewMs);
    this.processes.push(process);
    process.engine.open();
    return process;
  }

  /**
   * Lets events happen until `until` holds or `forMs` of virtual time have passed. Answers whether it holds.
   * @throws Error after `maxSteps`
   */
  async run(options: { until?: () => boolean; forMs: number; maxSteps?: number }): Promise<boolean> {
    const { until = () => false, forMs, maxSteps = 200_000 } = options;
    const end = this.time.now + forMs;
    const last = this.steps + maxSteps;
    await drained();
    while (!until()) {
      const event = this.time.take(end);
      if (!event) return until();
      if (++this.steps > last) throw new Error(`No end after ${maxSteps} steps.`);
      event();
      await drained();
      if (this.between) {
        this.between();
        await drained();
      }
    }
    return true;
  }

  /** Lets events happen until the promise has settled. @throws what it rejects with, or an Error after `forMs` */
  async complete<T>(promise: Promise<T>, forMs = 600_000): Promise<T> {
    let settled = false;
    const end = () => {
      settled = true;
    };
    promise.then(end, end);
    if (!(await this.run({ until: () => settled, forMs })))
      throw new Error(`Nothing came of it in ${forMs} ms of virtual time.`);
    return promise;
  }

  /** All that the ledger's server holds, to go back to. */
  snapshotLedger(): () => void {
    const { ledger } = this.servers;
    const names = ['ended', 'locks', 'elections', 'workers', 'progress'] as const;
    const runs = [...ledger.runs].map(([id, state]) => [id, new Map(state.fields)] as const);
    const maps = names.map((name) => [...(ledger[name] as Map<string, unknown>)]);
    const timers = [...ledger.timers.timers].map(([key, entry]) => [key, { ...entry }] as const);
    const { knownUntil } = ledger.timers;
    return () => {
      ledger.clear();
      for (const [key, entry] of timers) ledger.timers.timers.set(key, { ...entry });
      ledger.timers.knownUntil = knownUntil;
      for (const [id, fields] of runs) ledger.runs.set(id, new LedgerState(new Map(fields)));
      names.forEach((name, i) => {
        for (const [key, value] of maps[i] ?? []) (ledger[name] as Map<string, unknown>).set(key, value);
      });
      ledger.latest = 0; // another machine, another clock
    };
  }

  /** @internal */
  async serve<T>(step: Step, kind: Fate['kind'], serve: () => Promise<T>): Promise<T> {
    let next: () => Promise<unknown> = serve;
    for (let at = this.interceptors.length - 1; at >= 0; at--) {
      const [interceptor, inner] = [this.interceptors[at] as Interceptor, next];
      next = () => interceptor(step, inner);
    }
    const answer = await next();
    this.say(() => `${describe(step)}${kind === 'answered' ? '' : ` [${kind}]`} = ${short(answer)}`);
    return answer as T;
  }

  /** @internal */
  commit(groupId: string, partition: number, offset: number): void {
    const before = this.servers.broker.committed(groupId, partition);
    if (offset <= before) return;
    this.onCommit?.(partition, before, offset);
    this.servers.broker.commit(groupId, partition, offset);
  }

  /** @internal */
  deliver(process: SimulatedProcess, message: RawMessage, handler: JobHandler): Promise<void> {
    return this.onDelivery ? this.onDelivery(process, message, handler) : handler.handle(message);
  }

  say(line: () => string): void {
    this.trace?.(`${String(this.steps).padStart(5)} ${(this.time.elapsed / 1000).toFixed(3).padStart(9)} ${line()}`);
  }
}

/** Everything that the last event led to has run. Nothing in the engine waits for anything but promises and the ports. */
function drained(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function short(value: unknown): string {
  const text =
    value instanceof LedgerState ? `${value.fields.size} fields` : (JSON.stringify(value) as string | undefined);
  if (text === undefined) return 'nothing';
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}
