// Preloaded into jest: notes where each socket was opened, and prints on SIGUSR2 what keeps the process alive.
import { Socket } from 'node:net';

const OPENED = Symbol.for('opened');
const { connect } = Socket.prototype;
Socket.prototype.connect = function (...args) {
  const stack = new Error('opened').stack.split('\n').slice(2, 12).join('\n');
  this[OPENED] = `${new Date().toISOString()}\n${stack}`;
  return connect.apply(this, args);
};

process.on('SIGUSR2', () => {
  console.error(`Still open: ${process.getActiveResourcesInfo().join(', ')}`);
  for (const handle of process._getActiveHandles()) {
    if (OPENED in handle) console.error(`A socket to port ${handle.remotePort ?? '?'}, opened at ${handle[OPENED]}`);
  }
});
