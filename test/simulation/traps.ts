import type { Fleet } from './fleet.js';
import type { Step } from './world/network.js';
import type { Random } from './world/random.js';
import type { World } from './world/world.js';

const METHODS = [
  ...['claim', 'settle', 'renew', 'install', 'lock', 'read', 'touch', 'forget'],
  ...['accept', 'write', 'turn', 'values', 'end', 'writeStatus'],
  ...['publish', 'commit'],
] as const;
/** Where most of a hop happens. */
const HOP: readonly string[] = ['claim', 'write', 'settle', 'publish'];

type Trap = (step: Step, next: () => Promise<unknown>) => Promise<unknown>;

/** Faults at a named point: something happens right before or right after the next call of some kind is served. */
export class Traps {
  private armed: { readonly method: string; readonly what: string; readonly spring: Trap } | undefined;

  constructor(
    private readonly world: World,
    private readonly fleet: Fleet,
    private readonly random: Random,
    private readonly count: (kind: string) => void,
    /** Hears when a call is served that is held back. */
    private readonly onLate: (at: number) => void,
  ) {
    world.interceptors.push((step, next) => {
      const { armed } = this;
      if (armed?.method !== step.method || step.process.state !== 'running') return next();
      this.armed = undefined;
      this.count(`${armed.what} ${armed.method}`);
      world.say(() => `--- ${armed.what} ${armed.method} of ${step.process.name}`);
      return armed.spring(step, next);
    });
  }

  /** False: there is one already. */
  arm(): boolean {
    if (this.armed) return false;
    const method = this.random.pick(this.random.chance(0.6) ? HOP : METHODS);
    const [what, spring] = this.random.pick<readonly [string, Trap]>([
      ['crash before', (step) => this.crash(step)],
      ['crash after', (step, next) => next().finally(() => void this.crash(step))],
      ['pause before', (step, next) => this.pauseBefore(step, next)],
      ['pause before', (step, next) => this.pauseBefore(step, next)],
      ['pause after', (step, next) => next().finally(() => this.pause(step))],
      ['ledger lost before', (_step, next) => this.loseLedger(next)],
      ['ledger lost after', (_step, next) => next().finally(() => this.world.servers.ledger.clear())],
      ['ledger forgets', (_step, next) => this.forget(next)],
    ]);
    this.armed = { method, what, spring };
    return true;
  }

  disarm(): void {
    this.armed = undefined;
  }

  private crash({ process }: Step): Promise<never> {
    const slot = this.fleet.slots.find((s) => s.process === process);
    if (slot) this.fleet.crash(slot, this.random.between(0, this.random.chance(0.5) ? 1_000 : 20_000));
    return new Promise(() => {});
  }

  private pause({ process }: Step): number {
    const ms = this.random.between(0, this.random.chance(0.3) ? 2_000 : 30_000);
    process.pause();
    this.world.time.after(ms, () => process.wake());
    return ms;
  }

  /** The call is served about when the process wakes. */
  private async pauseBefore(step: Step, next: () => Promise<unknown>): Promise<unknown> {
    const ms = this.pause(step) + this.random.between(-300, 100);
    this.onLate(this.world.time.now + ms);
    await new Promise<void>((resolve) => this.world.time.after(ms, resolve));
    return next();
  }

  private loseLedger(next: () => Promise<unknown>): Promise<unknown> {
    this.world.servers.ledger.clear();
    return next();
  }

  /** The call is answered, but a replica takes over that has not heard of it. */
  private forget(next: () => Promise<unknown>): Promise<unknown> {
    const restore = this.world.snapshotLedger();
    return next().finally(restore);
  }
}
