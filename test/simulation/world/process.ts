import { UnavailableError } from '../../../src/core/errors.js';
import { Engine, type EngineConfiguration, type EngineDrivers } from '../../../src/engine/engine.js';
import type { Clock, Ids } from '../../../src/ports/clock.js';
import type { Logger } from '../../../src/ports/logger.js';
import type { Server, Step } from './network.js';
import { Random } from './random.js';
import { connectDrivers } from './scheduled-drivers.js';
import type { World } from './world.js';

/**
 * One process of the fleet: an engine whose clock, ids and drivers are the world's. `paused` is what SIGSTOP does: nothing
 * runs until it is woken, its calls that are on their way may be served meanwhile. A dead one never runs again.
 */
export class SimulatedProcess {
  state: 'running' | 'paused' | 'dead' = 'running';
  readonly clock: Clock;
  readonly ids: Ids;
  readonly drivers: EngineDrivers;
  readonly engine: Engine;
  /** The id that the next run gets which is started here without one. */
  nextRunId: string | undefined;
  /** Timers that have not fired and were not cancelled. */
  timers = 0;
  /** The group members of this process, as the broker knows them. */
  readonly memberships: { leave(): void; join(): void; isIn: boolean }[] = [];
  private readonly held: (() => void)[] = [];
  private readonly inFlight = new Set<{ lost: boolean }>();

  constructor(
    readonly world: World,
    readonly name: string,
    configure: (process: SimulatedProcess) => EngineConfiguration,
    /** What this process's clock is ahead of the others, milliseconds. */
    skewMs = 0,
  ) {
    const random = new Random(world.seed, `ids of ${name}`);
    let runs = 0;
    this.ids = {
      runId: () => {
        const runId = this.nextRunId ?? `${name}-run-${++runs}`;
        this.nextRunId = undefined;
        return runId;
      },
      workerId: () => name,
      token: () => `${name}-token-${random.next()}`,
      random: () => random.next(),
    };
    this.clock = {
      now: () => Math.floor(world.time.now + skewMs),
      after: (ms, run) => this.timer(ms, run),
    };
    const logger = this.logger();
    this.drivers = { ...connectDrivers(this, logger), clock: this.clock, ids: this.ids, logger };
    this.engine = new Engine(this.drivers, configure(this));
  }

  /** Runs `run` in `ms` if the process then lives; once it is woken, if it is paused. */
  later(ms: number, run: () => void): () => void {
    return this.world.time.after(ms, () => this.whenAwake(run));
  }

  /** A call to a server, as a step that the world releases. */
  call<T>(server: Server, method: string, args: readonly unknown[], serve: () => Promise<T>): Promise<T> {
    const { world } = this;
    if (this.state === 'dead') return new Promise<T>(() => {});
    const step: Step = { process: this, server, method, args };
    const fate = world.network.send(step);
    const flight = { lost: false };
    this.inFlight.add(flight);
    return new Promise<T>((resolve, reject) => {
      const rejects = (why: string) => () => this.whenAwake(() => reject(new UnavailableError(server, method, why)));
      const served = () => world.serve(step, fate.kind, serve);
      world.time.after(fate.ms, () => {
        this.inFlight.delete(flight);
        if (flight.lost) return world.say(() => `${describe(step)} was lost with its process`);
        if (fate.kind === 'refused') return rejects('simulated: refused')();
        if (fate.kind === 'late') {
          world.time.after(fate.laterMs, () => void served().catch(() => undefined));
          return rejects('simulated: timed out')();
        }
        const answered = () =>
          served().then(
            (answer) => this.whenAwake(() => resolve(answer)),
            (error: Error) => this.whenAwake(() => reject(error)),
          );
        if (fate.kind === 'unanswered') return void served().then(rejects('simulated: no answer'), reject);
        // what a paused process has not sent yet is sent when it wakes
        if (this.state === 'paused' && world.random.chance(0.5)) return this.whenAwake(() => void answered());
        void answered();
      });
    });
  }

  /** The process is gone at once. Of its calls on their way some still reach their server. */
  kill(): void {
    if (this.state === 'dead') return;
    this.state = 'dead';
    this.held.length = 0;
    for (const flight of this.inFlight) flight.lost = this.world.random.chance(0.5);
    for (const membership of this.memberships)
      this.world.time.after(this.world.sessionTimeoutMs, () => membership.leave());
  }

  pause(): void {
    if (this.state !== 'running') return;
    this.state = 'paused';
    for (const membership of this.memberships)
      this.world.time.after(this.world.sessionTimeoutMs, () => {
        if (this.state === 'paused') membership.leave();
      });
  }

  /** Goes on with all that was held. Who was thrown out of the group comes back to it after a while. */
  wake(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    const { held, world } = this;
    while (held.length > 0)
      this.later(world.random.between(0, 3), held.splice(world.random.int(held.length), 1)[0] ?? (() => {}));
    for (const membership of this.memberships)
      if (!membership.isIn) this.later(world.random.between(0, 3000), () => membership.join());
  }

  whenAwake(run: () => void): void {
    if (this.state === 'running') run();
    else if (this.state === 'paused') this.held.push(run);
  }

  private timer(ms: number, run: () => void): () => void {
    this.timers++;
    let open = true;
    const end = () => {
      if (open) this.timers--;
      open = false;
    };
    const cancel = this.later(ms, () => {
      if (!open) return;
      end();
      run();
    });
    return () => {
      end();
      cancel();
    };
  }

  private logger(): Logger {
    const at = (level: string) => (message: string, fields?: object) => {
      const { error, ...rest } = (fields ?? {}) as { error?: unknown };
      const why = error instanceof Error ? ` (${error.message})` : '';
      this.world.say(() => `${this.name} ${level}: ${message}${why} ${JSON.stringify(rest)}`);
      if (level === 'error') this.world.onErrorLogged?.(this, message, error);
    };
    return { debug: at('debug'), log: at('log'), warn: at('warn'), error: at('error') };
  }
}

export function describe({ process, server, method, args }: Step): string {
  const text = JSON.stringify(args, (_key, value: unknown) => (value instanceof Map ? `${value.size} fields` : value));
  return `${process.name} ${server}.${method} ${text.length > 240 ? `${text.slice(0, 240)}...` : text}`;
}
