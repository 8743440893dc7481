// Preloaded into jest: on SIGUSR2 it prints what keeps the process alive, and where its sockets were opened.
import { Socket } from 'node:net';

const opened = new WeakMap();
const { connect } = Socket.prototype;
Socket.prototype.connect = function (...args) {
  opened.set(this, {
    at: new Date().toISOString(),
    stack: new Error('opened').stack.split('\n').slice(2, 12).join('\n'),
  });
  return connect.apply(this, args);
};

process.on('SIGUSR2', () => {
  console.error(`Still open: ${process.getActiveResourcesInfo().join(', ')}`);
  for (const handle of process._getActiveHandles()) {
    const from = opened.get(handle);
    if (from) console.error(`A socket to port ${handle.remotePort ?? '?'}, opened at ${from.at}:\n${from.stack}`);
  }
});
