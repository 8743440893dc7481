import type { WorkflowBlueprint } from 'flowcraft';
import type { EngineOptions } from '../../src/engine/engine-options.js';
import { delay } from '../../src/ports/clock.js';
import { registryOf, type Lab } from './lab.js';
import type { Code } from './versions.js';
import type { SimulatedProcess } from './world/process.js';
import type { World } from './world/world.js';

export const STALLED_SECONDS = 30;
const SWEEP_EVERY_MS = 10_000;

const LONGEST_CALL_MS = 21_000;

const OPTIONS = {
  worker: {
    concurrency: 3,
    leaseMs: 12_000,
    livenessMs: 6_000,
    drainTimeoutMs: 60_000,
    emitDelayMs: 400,
    maxHoldMs: 30_000,
    unroutableGraceMs: 300_000,
    unroutableDelayMs: 2_000,
  },
  client: { callTimeoutMs: 15_000 },
  limits: {
    maxValueBytes: 1_000_000,
    maxValueDepth: 1_000,
    maxContextBytes: 4_000_000,
    maxResultBytes: 1_000_000,
    maxFanOut: 10_000,
    maxSubflowDepth: 100,
    maxBlueprintNodes: 5_000,
    maxTurnsPerRun: 500,
  },
  reconciler: { stalledThresholdSeconds: STALLED_SECONDS, maxRunsPerSweep: 20 },
} satisfies EngineOptions;

/** The seed chooses how long turns go on without a message; 0: not at all. */
const EMIT_DELAYS_MS = [400, 400, 50, 2_000, 0] as const;
/** With few, branches wait for a permit, some in vain. */
const CONCURRENCIES = [1, 3, 1, 2] as const;
/** After so long a run gives its place to others, and its message is written again at the tail. */
const HOLDS_MS = [30_000, 1_000, 30_000] as const;

/** A place in the fleet: when its process dies, another takes the place. */
export interface Slot {
  readonly role: 'worker' | 'client';
  readonly index: number;
  process: SimulatedProcess;
  lives: number;
  /** What its process was started with. */
  code: Code;
}

export interface FleetOptions {
  readonly workers: number;
  readonly clients: number;
  /** What a process with this code registers. */
  readonly blueprints: (code: Code) => Readonly<Record<string, WorkflowBlueprint>>;
  /** @default 'first' */
  readonly code?: Code;
  /** Whether workers also sweep. */
  readonly reconciler: boolean;
  lab(process: SimulatedProcess): Lab;
}

/** The processes of a schedule. */
export class Fleet {
  readonly slots: Slot[] = [];
  /** Called when a new process has taken the place of one that died. */
  onReplaced: ((gone: SimulatedProcess) => void) | undefined;
  isOpen = true;
  private readonly emitDelayMs: number;
  private readonly concurrency: number;
  private readonly maxHoldMs: number;
  /** What processes are started with from now on. */
  code: Code;

  constructor(
    readonly world: World,
    private readonly options: FleetOptions,
  ) {
    this.code = options.code ?? 'first';
    this.emitDelayMs = EMIT_DELAYS_MS[world.seed % EMIT_DELAYS_MS.length] ?? 0;
    this.concurrency = CONCURRENCIES[world.seed % CONCURRENCIES.length] ?? 1;
    this.maxHoldMs = HOLDS_MS[world.seed % HOLDS_MS.length] ?? 30_000;
    for (const role of ['worker', 'client'] as const)
      for (let index = 1; index <= options[`${role}s`]; index++)
        this.slots.push({ role, index, process: this.spawn(role, index, 1), lives: 1, code: this.code });
  }

  /** Slots of this role whose process runs. */
  running(role: Slot['role']): Slot[] {
    return this.slots.filter((slot) => slot.role === role && slot.process.state === 'running');
  }

  /** The process dies, and another takes its place after `ms`. */
  crash(slot: Slot, ms: number): void {
    slot.process.kill();
    this.world.time.after(ms, () => this.replace(slot));
  }

  replace(slot: Slot): void {
    if (slot.process.state !== 'dead') return;
    const gone = slot.process;
    slot.lives++;
    slot.code = this.code;
    slot.process = this.spawn(slot.role, slot.index, slot.lives);
    this.onReplaced?.(gone);
  }

  /** A process with older code drains, and one with that of now takes its place. */
  async renew(slot: Slot): Promise<void> {
    const { process, code } = slot;
    if (code === this.code || process.state !== 'running') return;
    await process.engine.worker.drain();
    if (slot.process !== process || slot.code !== code || !this.isOpen) return;
    process.engine.close();
    this.crash(slot, 0);
  }

  /** Drains and closes all processes. Answers what is left of them. */
  async close(): Promise<string[]> {
    this.isOpen = false;
    const left: string[] = [];
    const living = this.slots.map((slot) => slot.process).filter((process) => process.state === 'running');
    await this.world.complete(Promise.all(living.map(({ engine }) => engine.worker.drain())));
    for (const process of living) process.engine.close();
    await this.world.run({ forMs: LONGEST_CALL_MS }); // a driver that is closed would give them up
    for (const { name, engine, timers } of living) {
      const { permits } = (engine.processor as unknown as { parts: { permits: { used: number } } }).parts;
      if (timers > 0) left.push(`${name} has ${timers} timers after it was closed`);
      if (permits.used > 0) left.push(`${name} has ${permits.used} permits in use after it was closed`);
      if (engine.processor.size > 0)
        left.push(`${name} has ${engine.processor.size} turns in flight after it was closed`);
      if (engine.handler.size > 0) left.push(`${name} handles ${engine.handler.size} messages after it was closed`);
    }
    return left;
  }

  private spawn(role: Slot['role'], index: number, life: number): SimulatedProcess {
    const { world, options } = this;
    const name = `${role === 'worker' ? 'w' : 'c'}${index}.${life}`;
    const process = world.spawn(name, (self) => ({
      runtime: {
        registry: registryOf(options.lab(self), this.code),
        blueprints: { ...options.blueprints(this.code) },
      },
      options: {
        ...OPTIONS,
        worker: {
          ...OPTIONS.worker,
          emitDelayMs: this.emitDelayMs,
          concurrency: this.concurrency,
          maxHoldMs: this.maxHoldMs,
        },
      },
    }));
    if (role === 'client') return process;
    void process.engine.worker.start();
    if (options.reconciler) this.sweepNow(process, world.random.between(0, SWEEP_EVERY_MS));
    return process;
  }

  /** As a cron job does, as long as the process lives. */
  private sweepNow(process: SimulatedProcess, ms: number): void {
    this.world.time.after(ms, () => {
      if (process.state === 'dead' || !this.isOpen) return;
      if (process.state === 'paused') return this.sweepNow(process, SWEEP_EVERY_MS);
      process.engine.reconciler.sweep(undefined, { byClock: true }).then(
        () => this.sweepNow(process, SWEEP_EVERY_MS),
        () => this.sweepNow(process, SWEEP_EVERY_MS),
      );
    });
  }
}

/** Lets a process take its time. */
export function workFor(process: SimulatedProcess, ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : delay(process.clock, ms);
}
