import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Order, Report, WorkerSetup } from './protocol.js';
import type { Random } from './random.js';
import { Lines, type Servers } from './servers.js';

const LOADER = path.resolve(import.meta.dirname, '../support/typescript.mjs');
const PROGRAM = path.resolve(import.meta.dirname, 'worker.ts');
const ANSWER_MS = 30_000;
/** A worker that is told to disarm has heard of it by then, even a frozen one. */
const DISARM_MS = 15_000;

export interface Death {
  readonly worker: string;
  readonly at: number;
  /** The crash point that it was armed with, if it died at one. */
  readonly point?: string;
}

type Ask = Order extends infer O ? (O extends { id: number } ? Omit<O, 'id'> : never) : never;

/** A place in the fleet: a process that is replaced when it ends, and the lines that lead from it to the servers. */
export class Seat {
  child: ChildProcess | undefined;
  name = '';
  isReady = false;
  isFrozen = false;
  /** Died by order of the harness: no crash of its own. */
  private expected = false;
  private armed: string | undefined;
  private disarmed: { readonly point: string; readonly at: number } | undefined;
  private lives = 0;
  private orders = 0;
  private readonly waiting = new Map<number, (report: Extract<Report, { kind: 'done' }> | undefined) => void>();
  private ending = Promise.resolve<unknown>(undefined);

  constructor(
    private readonly place: string,
    readonly lines: Lines,
    private readonly fleet: Fleet,
  ) {}

  get isUp(): boolean {
    return this.child !== undefined && this.isReady && !this.isFrozen;
  }

  start(): void {
    this.lives++;
    this.name = `${this.place}.${this.lives}`;
    this.expected = false;
    this.armed = undefined;
    const { name } = this;
    const setup: WorkerSetup = {
      ...this.fleet.common,
      name,
      seed: this.fleet.random.fork().next() * 2 ** 32,
      ports: this.lines.ports,
      takesJobs: true,
    };
    const output = openSync(path.join(setup.directory, `${name}.out`), 'a');
    const child = spawn(process.execPath, ['--import', LOADER, PROGRAM], {
      env: { ...process.env, CHAOS_WORKER: JSON.stringify(setup) },
      stdio: ['ignore', output, output, 'ipc'],
    });
    closeSync(output);
    this.child = child;
    child.on('message', (report: Report) => {
      if (report.kind === 'ready') this.isReady = true;
      else this.answer(report);
    });
    child.on('error', () => {}); // its exit follows
    this.ending = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.ended(name, code, signal);
        resolve(undefined);
      });
    });
  }

  /** Kills it at once. */
  kill(): boolean {
    this.expected = true;
    return this.child?.kill('SIGKILL') ?? false;
  }

  /** It dies when it has passed a point so often; `expected` then, too. */
  arm(point: string, times: number): void {
    this.armed = point;
    this.tell({ kind: 'crash', point, times });
  }

  /** It may pass the point before it hears of this. */
  disarm(): void {
    if (this.armed !== undefined) this.disarmed = { point: this.armed, at: Date.now() };
    this.armed = undefined;
    this.tell({ kind: 'crash', point: '', times: 0 });
  }

  freeze(): void {
    this.isFrozen = true;
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.isFrozen = false;
    this.child?.kill('SIGCONT');
  }

  /** Ends it as a deploy does. */
  async drain(graceMs: number): Promise<boolean> {
    const { child } = this;
    if (!child) return true;
    this.expected = true;
    child.kill('SIGTERM');
    const over = new AbortController();
    const late = sleep(graceMs, false, { signal: over.signal }).catch(() => false); // it was in time
    const isDone = await Promise.race([this.ending.then(() => true), late]);
    over.abort();
    if (!isDone) child.kill('SIGKILL');
    await this.ending;
    return isDone;
  }

  async stop(): Promise<void> {
    this.thaw();
    this.kill();
    await this.ending;
  }

  /** Undefined: it died, or did not answer in time. */
  ask(order: Ask): Promise<Extract<Report, { kind: 'done' }> | undefined> {
    const id = (this.orders += 1);
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(undefined), ANSWER_MS);
      const settle = (report: Extract<Report, { kind: 'done' }> | undefined) => {
        clearTimeout(timer);
        this.waiting.delete(id);
        resolve(report);
      };
      this.waiting.set(id, settle);
      if (!this.tell({ ...order, id })) settle(undefined);
    });
  }

  private tell(order: Order): boolean {
    if (!this.child?.connected) return false;
    this.child.send(order, () => {}); // whoever is gone does not answer
    return true;
  }

  private answer(report: Extract<Report, { kind: 'done' }>): void {
    this.waiting.get(report.id)?.(report);
  }

  private ended(name: string, code: number | null, signal: string | null): void {
    this.child = undefined;
    this.isReady = false;
    this.isFrozen = false;
    for (const settle of [...this.waiting.values()]) settle(undefined);
    const late = this.disarmed && Date.now() - this.disarmed.at < DISARM_MS ? this.disarmed.point : undefined;
    const point = !this.expected && signal === 'SIGKILL' ? (this.armed ?? late) : undefined;
    const death = { worker: name, at: Date.now(), ...(point === undefined ? {} : { point }) };
    this.fleet.ended(this, death, signal === 'SIGKILL');
    if (!this.expected && point === undefined) this.fleet.surprises.push(`${name} ended by itself: ${code ?? signal}`);
  }
}

/** The worker processes, and what became of them. */
export class Fleet {
  readonly seats: Seat[] = [];
  readonly deaths: Death[] = [];
  readonly surprises: string[] = [];
  onCrashPoint: ((death: Death) => void) | undefined;
  private readonly comingBack = new Set<NodeJS.Timeout>();
  private isOver = false;

  constructor(
    readonly common: Omit<WorkerSetup, 'name' | 'seed' | 'ports' | 'takesJobs'>,
    private readonly servers: Servers,
    readonly random: Random,
    /** How long a seat stays empty when its process has ended. Milliseconds. */
    private readonly comesBackAfter: () => number = () => this.random.between(200, 4000),
  ) {}

  get up(): readonly Seat[] {
    return this.seats.filter((seat) => seat.isUp);
  }

  async addSeat(): Promise<Seat> {
    const seat = new Seat(`w${this.seats.length + 1}`, await Lines.open(this.servers.ports), this);
    this.seats.push(seat);
    seat.start();
    return seat;
  }

  /** The worker that passes this point first, so often, dies there. */
  arm(point: string, times: number): void {
    for (const seat of this.up) seat.arm(point, times);
  }

  /** Another process takes the seat after a while. */
  ended(seat: Seat, death: Death, wasKilled: boolean): void {
    if (this.isOver) return;
    if (wasKilled) this.deaths.push(death);
    if (death.point !== undefined) {
      for (const other of this.up) other.disarm();
      this.onCrashPoint?.(death);
    }
    this.comingBack.add(setTimeout(() => seat.start(), this.comesBackAfter()));
  }

  async untilReady(withinMs = 120_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!this.seats.every((seat) => seat.isUp)) {
      if (Date.now() > deadline) throw new Error('The workers did not become ready; look into their .out files.');
      await sleep(100);
    }
  }

  async stop(): Promise<void> {
    this.isOver = true;
    for (const timer of this.comingBack) clearTimeout(timer);
    await Promise.all(this.seats.map((seat) => seat.stop()));
    await Promise.all(this.seats.map((seat) => seat.lines.close()));
  }
}
