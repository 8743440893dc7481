import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { FaultProxy } from '../support/fault-proxy.js';

export type ServerName = 'kafka' | 'cassandra' | 'redis';
export const SERVER_NAMES: readonly ServerName[] = ['kafka', 'cassandra', 'redis'];

const ROOT = path.resolve(import.meta.dirname, '../..');
const STACK = path.join(ROOT, 'scripts/stack/stack.mjs');

const START_ATTEMPTS = 3;

/** The servers of the harness alone, so that it may stop them, beside those of other tests. */
export class Servers {
  readonly ports: Readonly<Record<ServerName, number>>;
  private readonly env: Record<string, string | undefined>;
  private readonly changing = new Map<ServerName, Promise<void>>();
  private admin: Redis | undefined;

  constructor(environment: Readonly<Record<string, string | undefined>>) {
    const port = (name: string, fallback: number) => Number(environment[name] ?? fallback);
    this.ports = {
      kafka: port('CHAOS_KAFKA_PORT', 29_092),
      cassandra: port('CHAOS_CASSANDRA_PORT', 29_042),
      redis: port('CHAOS_REDIS_PORT', 26_379),
    };
    this.env = {
      ...environment,
      STACK_DIR: environment['CHAOS_STACK_DIR'] ?? path.join('.stack', 'chaos'),
      STACK_KAFKA_PORT: String(this.ports.kafka),
      STACK_CASSANDRA_PORT: String(this.ports.cassandra),
      STACK_REDIS_PORT: String(this.ports.redis),
      STACK_KAFKA_HEAP: environment['CHAOS_KAFKA_HEAP'] ?? '320m',
      STACK_CASSANDRA_HEAP: environment['CHAOS_CASSANDRA_HEAP'] ?? '640m',
    };
  }

  get broker(): string {
    return `127.0.0.1:${this.ports.kafka}`;
  }

  /** The administrator's way to Redis, past all proxies. */
  get redis(): Redis {
    this.admin ??= this.openAdmin();
    return this.admin;
  }

  up(): Promise<void> {
    return this.stack('up');
  }

  async down(): Promise<void> {
    this.admin?.disconnect();
    await this.stack('down');
  }

  /** Stops one, with SIGKILL or kindly, and starts it again. Waits for a change that is under way first. */
  restart(name: ServerName, { kill, downMs }: { kill: boolean; downMs: number }): Promise<void> {
    const before = this.changing.get(name) ?? Promise.resolve();
    const after = before.then(async () => {
      await this.stack('stop', name, ...(kill ? ['--kill'] : []));
      await new Promise((resolve) => setTimeout(resolve, downMs));
      await this.started(name);
    });
    this.changing.set(name, after);
    return after;
  }

  isChanging(name: ServerName): boolean {
    return this.changing.has(name);
  }

  /** Waits for servers that are being restarted. */
  async settled(): Promise<void> {
    await Promise.all(this.changing.values());
    this.changing.clear();
  }

  forget(name: ServerName): void {
    this.changing.delete(name);
  }

  /** On a machine that is busy it may not answer in time at first. */
  private async started(name: ServerName): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.stack('start', name);
      } catch (error) {
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  private openAdmin(): Redis {
    const redis = new Redis({ port: this.ports.redis, lazyConnect: false, maxRetriesPerRequest: null });
    redis.on('error', () => {}); // it connects again by itself
    return redis;
  }

  private stack(...args: string[]): Promise<void> {
    mkdirSync(path.resolve(ROOT, this.env['STACK_DIR'] ?? ''), { recursive: true });
    const child = spawn(process.execPath, [STACK, ...args], {
      cwd: ROOT,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) =>
        code === 0 ? resolve() : reject(new Error(`The stack failed to ${args.join(' ')}:\n${output}`)),
      );
    });
  }
}

/** One process's ways to the servers, each of which can misbehave. */
export class Lines {
  private constructor(private readonly proxies: Readonly<Record<ServerName, FaultProxy>>) {}

  static async open(ports: Readonly<Record<ServerName, number>>): Promise<Lines> {
    const [kafka, cassandra, redis] = await Promise.all([
      FaultProxy.open(ports.kafka),
      FaultProxy.open(ports.cassandra),
      FaultProxy.open(ports.redis),
    ]);
    return new Lines({ kafka, cassandra, redis });
  }

  get ports(): Readonly<Record<ServerName, number>> {
    const { kafka, cassandra, redis } = this.proxies;
    return { kafka: kafka.port, cassandra: cassandra.port, redis: redis.port };
  }

  to(name: ServerName): FaultProxy {
    return this.proxies[name];
  }

  heal(): void {
    for (const name of SERVER_NAMES) this.proxies[name].set('pass');
  }

  async close(): Promise<void> {
    await Promise.all(SERVER_NAMES.map((name) => this.proxies[name].close()));
  }
}
