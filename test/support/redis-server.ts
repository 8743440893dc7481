import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';

/** A Redis of a test's own, on a free port, which forgets everything when it stops. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly dir: string,
    private readonly args: readonly string[],
  ) {}

  static async start(args: readonly string[] = []): Promise<RedisServer> {
    const dir = await mkdtemp(path.join(tmpdir(), 'redis-'));
    const server = new RedisServer(await freePort(), dir, args);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Stops at once, as a crash does, and loses all data. */
  async kill(): Promise<void> {
    const { child } = this;
    if (!child) return;
    this.child = undefined;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async start(): Promise<void> {
    const fixed = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--dir',
      this.dir,
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    this.child = spawn('redis-server', [...fixed, ...this.args], { stdio: 'ignore' });
    const failed = once(this.child, 'error').then(([error]) => Promise.reject(error as Error));
    await Promise.race([this.answers(), failed]);
  }

  /** Stops answering without closing anything, until `resume`. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    this.resume();
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }

  private async answers(): Promise<void> {
    const redis = new Redis({ port: this.port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 30 });
    redis.on('error', () => {}); // refused until it listens
    const ready = once(redis, 'ready');
    redis.connect().catch(() => {}); // goes on trying
    await ready;
    redis.disconnect();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
