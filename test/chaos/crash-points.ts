import type { Drivers } from '../../src/composition/embedded-drivers.js';
import type { JobHandler, JobQueue, RawMessage } from '../../src/ports/job-queue.js';

/**
 * Where a worker can die: after a call has taken effect and before its caller knows, or with the call on its way. Only
 * the worker program of these tests wraps its drivers so.
 */
const POINTS = {
  store: {
    write: ['write in flight', 'write applied'],
    accept: ['accept in flight', 'child accepted'],
    end: ['end in flight', 'run ended'],
    writeStatus: [undefined, 'status written'],
    turns: [undefined, 'journal read'],
  },
  ledger: {
    claim: [undefined, 'claim answered'],
    settle: ['settle in flight', 'settle answered'],
    lock: [undefined, 'rebuild locked'],
    install: ['install in flight', 'ledger installed'],
    end: [undefined, 'ledger ended'],
  },
  queue: {
    publish: ['publish in flight', 'publish acknowledged'],
  },
  timerRows: {
    add: [undefined, 'timer written'],
    finish: ['timer end in flight', 'timer ended'],
  },
  timerIndex: {
    add: [undefined, 'timer indexed'],
    take: [undefined, 'timer taken'],
  },
} as const;
const BEFORE_COMMIT = 'before commit';

type Points = Readonly<Record<string, readonly [string | undefined, string | undefined]>>;

export const CRASH_POINTS: readonly string[] = [
  ...Object.values(POINTS).flatMap((methods) => Object.values(methods as Points).flat()),
  BEFORE_COMMIT,
].filter((point) => point !== undefined);

/** Raises SIGKILL on this process when the armed point has been passed so often. */
export class CrashPoints {
  private armed: { point: string; left: number } | undefined;

  constructor(private readonly onMessage: (message: RawMessage) => void) {}

  arm(point: string, times: number): void {
    this.armed = { point, left: times };
  }

  pass(point: string | undefined): void {
    if (point === undefined || this.armed?.point !== point) return;
    this.armed.left--;
    if (this.armed.left <= 0) process.kill(process.pid, 'SIGKILL');
  }

  wrap(drivers: Drivers): Drivers {
    return {
      ...drivers,
      store: this.port(drivers.store, POINTS.store),
      ledger: this.port(drivers.ledger, POINTS.ledger),
      timerRows: this.port(drivers.timerRows, POINTS.timerRows),
      timerIndex: this.port(drivers.timerIndex, POINTS.timerIndex),
      queue: this.queue(this.port(drivers.queue, POINTS.queue)),
    };
  }

  private port<T extends object>(port: T, points: Points): T {
    return new Proxy(port, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        const found = typeof name === 'string' && Object.hasOwn(points, name) ? points[name] : undefined;
        if (!found) return method;
        const [inFlight, done] = found;
        return async (...args: unknown[]) => {
          const call = method(...args);
          if (inFlight !== undefined) setImmediate(() => this.pass(inFlight));
          const answer = await call;
          this.pass(done);
          return answer;
        };
      },
    });
  }

  private queue(queue: JobQueue): JobQueue {
    return new Proxy(queue, {
      get: (target, name) => {
        if (name === 'consume') return (handler: JobHandler) => target.consume(this.handler(handler));
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  private handler(handler: JobHandler): JobHandler {
    return {
      admit: () => handler.admit(),
      handle: async (message) => {
        this.onMessage(message);
        await handler.handle(message);
        this.pass(BEFORE_COMMIT);
      },
    };
  }
}
