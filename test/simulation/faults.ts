import type { Callers } from './callers.js';
import type { Fleet } from './fleet.js';
import type { Fate, Network, Server, Step } from './world/network.js';
import type { Random } from './world/random.js';
import { Traps } from './traps.js';
import type { World } from './world/world.js';

const TIMEOUT_MS: Readonly<Record<Server, number>> = { kafka: Infinity, redis: 1_000, cassandra: 3_000 };
const SERVERS: readonly Server[] = ['kafka', 'cassandra', 'redis'];

/** A network between processes and servers that is slow, loses answers, and delivers what nobody waits for any more. */
export class FaultyNetwork implements Network {
  isCalm = false;
  /** When the last call is served that timed out. */
  lastLate = 0;
  private readonly usualMs: number;
  private readonly slow: number;
  private readonly failing: Record<Server, number>;

  constructor(
    private readonly world: World,
    private readonly random: Random,
  ) {
    this.usualMs = random.pick([2, 4, 15, 80]);
    this.slow = random.pick([0, 0.01, 0.04]);
    const failing = random.pick([0, 0, 0.02, 0.06]);
    this.failing = { kafka: failing / 2, cassandra: failing, redis: failing };
  }

  /** For so long most calls to a server fail. */
  storm(server: Server, ms: number): void {
    const before = this.failing[server];
    this.failing[server] = 0.7;
    this.world.time.after(ms, () => {
      this.failing[server] = before;
    });
  }

  send({ server }: Step): Fate {
    const { random } = this;
    if (this.isCalm) return { kind: 'answered', ms: random.between(0.05, 4) };
    const ms = this.ms();
    const timeout = TIMEOUT_MS[server];
    if (ms > timeout) return this.late(timeout, ms - timeout);
    if (!random.chance(this.failing[server])) return { kind: 'answered', ms };
    const kind = random.pick(['refused', 'unanswered', 'late'] as const);
    return kind === 'late' ? this.late(ms, random.between(0, random.chance(0.8) ? 100 : 15_000)) : { kind, ms };
  }

  delivery(): number {
    return this.isCalm ? this.random.between(0.05, 4) : this.ms();
  }

  announcement(): number | undefined {
    return this.random.chance(0.2) && !this.isCalm ? undefined : this.random.between(0.05, 20);
  }

  private late(ms: number, laterMs: number): Fate {
    this.lastLate = Math.max(this.lastLate, this.world.time.now + ms + laterMs);
    return { kind: 'late', ms, laterMs };
  }

  private ms(): number {
    const { random } = this;
    if (!random.chance(this.slow)) return random.between(0.05, this.usualMs);
    return random.chance(0.85) ? random.between(0.05, 700) : random.between(500, 20_000);
  }
}

/** What goes wrong between two steps, chosen by the seed. */
export class Faults {
  readonly counts: Record<string, number> = {};
  private readonly kinds: (() => string | undefined)[];
  private readonly probability: number;
  private left: number;
  private restoreLedger: (() => void) | undefined;
  private readonly traps: Traps;
  private cancels = 0;

  constructor(
    private readonly world: World,
    private readonly fleet: Fleet,
    private readonly callers: Callers,
    private readonly network: FaultyNetwork,
    private readonly random: Random,
    private readonly onDuplicate: () => boolean,
  ) {
    const count = (kind: string) => {
      this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    };
    this.traps = new Traps(world, fleet, random, count, (at) => {
      network.lastLate = Math.max(network.lastLate, at);
    });
    this.left = random.int(13);
    this.probability = random.pick([0.02, 0.05, 0.15]);
    const weighted: readonly (readonly [number, () => string | undefined])[] = [
      [14, () => (this.traps.arm() ? 'trap' : undefined)],
      [6, () => this.crash('worker')],
      [2, () => this.crash('client')],
      [5, () => this.pause()],
      [2, () => this.clearLedger()],
      [3, () => this.rollLedgerBack()],
      [2, () => this.rebalance()],
      [3, () => (this.onDuplicate() ? 'delivered twice' : undefined)],
      [3, () => this.storm()],
      [1, () => this.cancel()],
      [1, () => this.repeatStart()],
      [1, () => this.sweep()],
      [2, () => this.deploy()],
    ];
    this.kinds = weighted.flatMap(([weight, kind]) => Array.from({ length: weight }, () => kind));
  }

  /** Nothing goes wrong any more. */
  get isOver(): boolean {
    return this.left === 0;
  }

  /** Called between any two steps. */
  between(): void {
    if (this.left === 0 || !this.random.chance(this.probability)) return;
    const kind = this.random.pick(this.kinds)();
    if (kind === undefined) return;
    this.left--;
    if (kind === 'trap') return; // it is counted when it is sprung
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.world.say(() => `--- ${kind}`);
  }

  /** Everybody is there again, and the servers are well. */
  end(): void {
    this.left = 0;
    this.traps.disarm();
    this.network.isCalm = true;
    // what was begun with new code needs it
    for (const slot of this.fleet.slots) if (slot.code !== this.fleet.code) slot.process.kill();
    for (const slot of this.fleet.slots) {
      if (slot.process.state === 'paused') slot.process.wake();
      this.fleet.replace(slot);
    }
  }

  private crash(role: 'worker' | 'client'): string | undefined {
    const slots = this.fleet.slots.filter((slot) => slot.role === role && slot.process.state !== 'dead');
    if (slots.length === 0) return undefined;
    const slot = this.random.pick(slots);
    this.fleet.crash(slot, this.random.between(0, this.random.chance(0.5) ? 1_000 : 20_000));
    return `${role} crashed`;
  }

  private pause(): string | undefined {
    const slots = [...this.fleet.running('worker'), ...this.fleet.running('client')];
    if (slots.length === 0) return undefined;
    const { process } = this.random.pick(slots);
    process.pause();
    this.world.time.after(this.random.between(0, this.random.chance(0.3) ? 500 : 25_000), () => process.wake());
    return 'process paused';
  }

  private clearLedger(): string {
    this.world.servers.ledger.clear();
    return 'ledger lost';
  }

  /** A replica that lacks the latest writes takes over. */
  private rollLedgerBack(): string | undefined {
    if (!this.restoreLedger) {
      this.restoreLedger = this.world.snapshotLedger();
      return undefined;
    }
    this.restoreLedger();
    this.restoreLedger = undefined;
    return 'ledger rolled back';
  }

  private rebalance(): string | undefined {
    const members = this.fleet.running('worker').flatMap((slot) => slot.process.memberships);
    const member = members.length > 0 ? this.random.pick(members) : undefined;
    if (!member?.isIn) return undefined;
    member.leave();
    this.world.time.after(this.random.between(0, 3_000), () => member.join());
    return 'rebalance';
  }

  private storm(): string {
    const server = this.random.pick(SERVERS);
    this.network.storm(server, this.random.between(50, 8_000));
    return `${server} fails`;
  }

  private cancel(): string | undefined {
    const runs = this.callers.runs.filter((run) => run.accepted && !run.cancelled);
    if (runs.length === 0 || this.cancels > 0 || this.random.chance(0.5)) return undefined;
    this.cancels++;
    this.callers.cancel(this.random.pick(runs));
    return 'run cancelled';
  }

  private repeatStart(): string | undefined {
    const runs = this.callers.runs.filter((run) => run.accepted);
    if (runs.length === 0) return undefined;
    this.callers.repeat(this.random.pick(runs));
    return 'start repeated';
  }

  /** The processes get new code, each at a moment of its own, and runs are started from then on that need it. */
  private deploy(): string | undefined {
    const { fleet, random, world } = this;
    if (fleet.code === 'next') return undefined;
    fleet.code = 'next';
    for (const slot of fleet.slots)
      world.time.after(random.between(0, 20_000), () => {
        if (random.chance(0.7)) void fleet.renew(slot);
        else if (slot.code !== fleet.code) fleet.crash(slot, random.between(0, 1_000));
      });
    const { flow } = random.pick(this.callers.runs);
    this.callers.start(flow, `run${this.callers.runs.length + 1}`, random.between(0, 15_000));
    return 'deploy';
  }

  private sweep(): string | undefined {
    const [slot] = this.fleet.running('worker');
    if (!slot) return undefined;
    // whatever the threshold: a sweep at a bad moment must be harmless
    slot.process.engine.reconciler.sweep(0, { alone: false }).catch(() => undefined);
    return 'swept';
  }
}
