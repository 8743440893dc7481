import { TestEnvironment } from 'jest-environment-node';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Sockets that a test file closes may take a moment, above all where a server has been killed. */
const WITHIN_MS = 15_000;

const open = () =>
  process._getActiveHandles().filter((handle) => handle instanceof Socket && (handle.remotePort || handle.connecting));

/** Says which test file has left a socket open: it would keep the process from ending, long after the file is forgotten. */
export default class SocketWatch extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.testPath = context.testPath;
    this.before = new Set(open());
  }

  async teardown() {
    const left = () => open().filter((socket) => !this.before.has(socket));
    for (const end = Date.now() + WITHIN_MS; left().length > 0 && Date.now() < end;) await sleep(100);
    for (const socket of left()) {
      const from = socket[Symbol.for('opened')] ?? 'an unknown place';
      console.error(`${this.testPath} has left a socket to port ${socket.remotePort} open, from ${from}`);
    }
    await super.teardown();
  }
}
