import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A Redis of a test's own, on a free port, which forgets everything when it stops. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly dir: string,
    private readonly args: readonly string[],
    private readonly sentinelFile: string | undefined,
  ) {}

  /** @param sentinelFile the configuration of a sentinel, which keeps its own state in it */
  static async start(args: readonly string[] = [], sentinelFile?: string): Promise<RedisServer> {
    const dir = await mkdtemp(path.join(tmpdir(), 'redis-'));
    const server = new RedisServer(await freePort(), dir, args, sentinelFile);
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
    const fixed = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.dir];
    const role = this.sentinelFile === undefined ? ['--save', '', '--appendonly', 'no'] : ['--sentinel'];
    const file = this.sentinelFile === undefined ? [] : [this.sentinelFile];
    this.child = spawn('redis-server', [...file, ...fixed, ...role, ...this.args], { stdio: 'ignore' });
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
    while (!(await saysSomething(this.port))) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Anything will do: the server may ask for a password, or miss the rest of its cluster. */
function saysSomething(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
