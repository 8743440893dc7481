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
  /** By the order of calls; of one connection and direction, that is also the order in which it is due. */
  private schedule: { readonly due: number; readonly act: () => void }[] = [];

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
    for (const socket of [...this.sockets]) reset(socket);
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.schedule = [];
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
      reset(client);
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

  /** Bytes keep their order, as TCP's do: none overtakes one that is late. */
  private pipe(from: Socket, to: Socket): void {
    let late = 0;
    let due = 0;
    from.on('data', (chunk: Buffer) => {
      if (this.mode !== 'delay' && late === 0) {
        to.write(chunk);
        return;
      }
      late++;
      due = Math.max(due, performance.now() + (this.mode === 'delay' ? this.delayMs : 0));
      this.after(due, () => {
        late--;
        if (!to.destroyed) to.write(chunk);
      });
    });
    from.once('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }

  /** What is due at the same time happens in the order of the calls. */
  private after(due: number, act: () => void): void {
    this.schedule.push({ due, act });
    const timer = setTimeout(
      () => {
        this.timers.delete(timer);
        const at = this.schedule.filter((entry) => entry.due <= due);
        this.schedule = this.schedule.filter((entry) => entry.due > due);
        for (const entry of at) entry.act();
      },
      Math.max(0, due - performance.now()),
    );
    this.timers.add(timer);
  }
}

/** A socket that is shutting down cannot be reset any more: Node would leave its handle open for good. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
