import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

export type FaultMode = 'pass' | 'delay' | 'hole' | 'refuse';

/**
 * A TCP proxy on a free port of this machine that misbehaves on demand.
 *
 * - `pass`: as if it were not there. `delay`: every chunk is late by `delayMs`, each way.
 * - `hole`: connections are taken and nothing goes through; what was sent meanwhile arrives late, after `pass`, as
 *   with packets that are sent again. - `refuse`: connections are closed at once; those that live are left alone.
 * - `cut()`: resets all connections.
 */
export class FaultProxy {
  private mode: FaultMode = 'pass';
  private delayMs = 0;
  private readonly sockets = new Set<Socket>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly waiting = new Set<() => void>();

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  static async open(targetPort: number, targetHost = '127.0.0.1', port = 0): Promise<FaultProxy> {
    const server = createServer();
    const proxy = new FaultProxy(server, { host: targetHost, port: targetPort });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.sockets.size / 2;
  }

  set(mode: FaultMode, delayMs = 0): void {
    this.mode = mode;
    this.delayMs = delayMs;
    if (mode === 'hole') {
      for (const socket of this.sockets) socket.pause();
      return;
    }
    for (const socket of this.sockets) socket.resume();
    for (const go of [...this.waiting]) go();
    this.waiting.clear();
  }

  cut(): void {
    for (const socket of [...this.sockets]) socket.resetAndDestroy();
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.waiting.clear();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.cut();
    await closed;
  }

  private accept(client: Socket): void {
    client.on('error', () => {}); // its own 'close' follows and ends the pair
    if (this.mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    client.pause();
    this.sockets.add(client);
    client.once('close', () => this.sockets.delete(client));
    const go = () => {
      if (!client.destroyed) this.join(client);
    };
    if (this.mode === 'hole') this.waiting.add(go);
    else go();
  }

  private join(client: Socket): void {
    const server = connect(this.target);
    server.on('error', () => {}); // its own 'close' follows and ends the pair
    this.sockets.add(server);
    this.pipe(client, server);
    this.pipe(server, client);
    if (this.mode === 'hole') server.pause();
    else client.resume();
  }

  private pipe(from: Socket, to: Socket): void {
    from.on('data', (chunk: Buffer) => {
      if (this.mode !== 'delay') {
        to.write(chunk);
        return;
      }
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        if (!to.destroyed) to.write(chunk);
      }, this.delayMs);
      this.timers.add(timer);
    });
    from.once('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }
}
