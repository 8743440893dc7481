import { setTimeout as sleep } from 'node:timers/promises';
import { CRASH_POINTS } from './crash-points.js';
import type { Fleet, Seat } from './fleet.js';
import type { Random } from './random.js';
import { SERVER_NAMES, type Lines, type ServerName, type Servers } from './servers.js';

/** A fault as it happened. */
export interface Fault {
  readonly kind: string;
  readonly detail: string;
  readonly at: number;
  endedAt?: number;
}

interface Kind {
  readonly name: string;
  readonly weight: number;
  /** Answers what it did, or undefined if it is not possible now. */
  readonly inflict: (fault: (detail: string) => Fault) => void;
}

/** Inflicts faults at seeded moments; several may last at a time. */
export class Storm {
  readonly faults: Fault[] = [];
  private readonly lasting = new Set<Promise<void>>();
  private readonly kinds: readonly Kind[];
  private calm = new AbortController();

  constructor(
    private readonly fleet: Fleet,
    private readonly servers: Servers,
    /** The ways to the servers of those who are no workers. */
    private readonly clientLines: Lines,
    private readonly random: Random,
    private readonly meanGapMs: number,
    private readonly prefix: string,
  ) {
    fleet.onCrashPoint = ({ worker, point = '', at }) =>
      this.faults.push({ kind: `crash: ${point}`, detail: worker, at, endedAt: at });
    this.kinds = this.catalogue();
  }

  /** Rages for so long, then heals everything and waits until all processes and servers are back. */
  async rage(ms: number): Promise<void> {
    const { random } = this;
    const end = Date.now() + ms;
    this.calm = new AbortController();
    while (Date.now() < end) {
      await sleep(
        Math.min(-Math.log(1 - random.next()) * this.meanGapMs, 5 * this.meanGapMs, Math.max(0, end - Date.now())),
      );
      const kind = random.weighted(this.kinds);
      kind.inflict((detail) => {
        const fault: Fault = { kind: kind.name, detail, at: Date.now() };
        this.faults.push(fault);
        return fault;
      });
    }
    this.calm.abort();
    await Promise.allSettled(this.lasting);
    await this.servers.settled();
    for (const lines of [this.clientLines, ...this.fleet.seats.map((seat) => seat.lines)]) lines.heal();
    await this.fleet.untilReady();
  }

  private catalogue(): readonly Kind[] {
    const { random } = this;
    return [
      this.onWorker('kill', 5, (seat) => ({ detail: seat.name, end: async () => void seat.kill() })),
      {
        name: 'crash point',
        weight: 9,
        // of all workers the first to pass it dies; counted then
        inflict: () => {
          this.fleet.arm(random.pick(CRASH_POINTS), Math.ceil(random.between(0, 5)));
        },
      },
      this.onWorker('freeze beyond session and lease', 2, (seat) => this.frozen(seat, random.between(14_000, 20_000))),
      this.onWorker('short freeze', 2, (seat) => this.frozen(seat, random.between(1500, 8000))),
      this.onWorker('drain and leave', 3, (seat) => ({
        detail: seat.name,
        end: async () => void (await seat.drain(40_000)),
      })),
      this.onLines('cut', 4, (lines, name) => {
        lines.to(name).cut();
        return { ms: 0 };
      }),
      this.onLines('delay', 3, (lines, name) => {
        lines.to(name).set('delay', random.between(30, 600));
        return { ms: random.between(2000, 8000) };
      }),
      this.onLines('black hole', 4, (lines, name) => {
        lines.to(name).set('hole');
        return { ms: random.between(1000, 14_000) };
      }),
      this.onLines('refuse', 2, (lines, name) => {
        lines.to(name).set('refuse');
        lines.to(name).cut();
        return { ms: random.between(500, 6000) };
      }),
      this.once('redis flushed', 3, async () => void (await this.servers.redis.flushall())),
      this.once('redis lost some runs', 2, () => this.loseRuns()),
      this.onServer('redis', 1.2),
      this.onServer('kafka', 0.8),
      this.onServer('cassandra', 0.6),
    ];
  }

  private someWorker(): Seat | undefined {
    return this.fleet.up.length > 0 ? this.random.pick(this.fleet.up) : undefined;
  }

  private frozen(seat: Seat, ms: number): { detail: string; end: () => Promise<void> } {
    const { name, child } = seat;
    seat.freeze();
    const end = async () => {
      await this.pause(ms);
      if (seat.child === child) seat.thaw();
    };
    return { detail: `${name} for ${Math.round(ms)} ms`, end };
  }

  private onWorker(
    name: string,
    weight: number,
    act: (seat: Seat) => { detail: string; end: () => Promise<void> },
  ): Kind {
    return {
      name,
      weight,
      inflict: (begin) => {
        const seat = this.someWorker();
        if (!seat) return;
        const { detail, end } = act(seat);
        this.last(begin(detail), end());
      },
    };
  }

  /** On the lines of one worker mostly; now and then on those of all at once. */
  private onLines(name: string, weight: number, act: (lines: Lines, server: ServerName) => { ms: number }): Kind {
    const { random } = this;
    return {
      name: `line: ${name}`,
      weight,
      inflict: (begin) => {
        const server = random.pick(SERVER_NAMES);
        const all: { name: string; lines: Lines }[] = [
          ...this.fleet.seats,
          { name: 'client', lines: this.clientLines },
        ];
        const hit = random.next() < 0.15 ? all : [random.pick(all)];
        const lengths = hit.map(({ lines }) => act(lines, server).ms);
        const ms = Math.max(...lengths);
        const heal = async () => {
          await this.pause(ms);
          for (const { lines } of hit) lines.to(server).set('pass');
        };
        const who = hit.length === 1 ? hit[0]?.name : 'all';
        this.last(begin(`${server} of ${who} for ${Math.round(ms)} ms`), heal());
      },
    };
  }

  private onServer(server: ServerName, weight: number): Kind {
    const { random, servers } = this;
    return {
      name: `${server} restarted`,
      weight,
      inflict: (begin) => {
        if (servers.isChanging(server)) return;
        const how = { kill: random.next() < 0.7, downMs: random.next() < 0.5 ? 0 : random.between(500, 5000) };
        const restart = async () => {
          await servers.restart(server, how);
          servers.forget(server);
        };
        this.last(begin(how.kill ? 'killed' : 'stopped'), restart());
      },
    };
  }

  private once(name: string, weight: number, act: () => Promise<void>): Kind {
    return { name, weight, inflict: (begin) => this.last(begin(''), act()) };
  }

  /** As after an eviction, or when a shard of a cluster was lost. */
  private async loseRuns(): Promise<void> {
    const { redis } = this.servers;
    const keys = await redis.keys(`${this.prefix}*`);
    const lost = keys.filter(() => this.random.next() < 0.4);
    if (lost.length > 0) await redis.del(...lost);
  }

  private last(fault: Fault, end: Promise<void>): void {
    const lasting = end.finally(() => {
      fault.endedAt = Date.now();
      this.lasting.delete(lasting);
    });
    lasting.catch(() => {}); // told by `rage`
    this.lasting.add(lasting);
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.calm.signal }).catch(() => {}); // cut short when the storm is over
  }
}
