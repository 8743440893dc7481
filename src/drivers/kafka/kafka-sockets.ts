import net from 'node:net';
import tls from 'node:tls';
import type { ISocketFactory, ISocketFactoryArgs } from 'kafkajs';

const KEEP_ALIVE_MS = 60_000;

/**
 * The sockets of one kafkajs client. kafkajs has no way to end a client whose server does not answer: it waits for its
 * requests and opens sockets again. `sever` ends them all and lets no new one be opened.
 */
export class OwnedSockets {
  private readonly open = new Set<net.Socket>();
  private severed = false;

  constructor(private readonly connect: ISocketFactory = connectSocket) {}

  get isSevered(): boolean {
    return this.severed;
  }

  readonly factory: ISocketFactory = (args) => {
    if (this.severed) throw new Error('The Kafka client is closed.');
    const socket = this.connect(args);
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
    return socket;
  };

  sever(): void {
    this.severed = true;
    for (const socket of this.open) {
      // kafkajs hears of an end that it did not ask for only through an error
      if (socket.writableEnded) socket.destroy();
      else socket.destroy(new Error('The Kafka client is closed.'));
    }
  }
}

/** As kafkajs' own, which it does not export. */
function connectSocket({ host, port, ssl, onConnect }: ISocketFactoryArgs): net.Socket {
  // kafkajs' types say that ssl is always there; it is not
  const options = ssl as tls.ConnectionOptions | undefined | null;
  const socket = options
    ? tls.connect({ host, port, ...(net.isIP(host) === 0 ? { servername: host } : {}), ...options }, onConnect)
    : net.connect({ host, port }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}
