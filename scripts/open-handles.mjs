// Preloaded into jest: notes where each socket was opened, and prints on SIGWINCH what keeps the process alive. (Nest
// applications end the process at most other signals.)
import { Server, Socket } from 'node:net';

const OPENED = Symbol('opened');
for (const [type, method] of [
  [Socket, 'connect'],
  [Server, 'listen'],
]) {
  const original = type.prototype[method];
  type.prototype[method] = function (...args) {
    const stack = new Error('opened').stack.split('\n').slice(2, 12).join('\n');
    this[OPENED] = `${method} at ${new Date().toISOString()}\n${stack}`;
    return original.apply(this, args);
  };
}

process.on('SIGWINCH', () => {
  console.error(`Still open: ${process.getActiveResourcesInfo().join(', ')}`);
  for (const handle of process._getActiveHandles()) {
    const [from, to] = [handle.localPort, handle.remotePort];
    if (handle instanceof Socket && (from || to || handle[OPENED]))
      console.error(
        `Socket ${from} to ${to}, destroyed ${handle.destroyed}: ${handle[OPENED] ?? 'accepted by a server here'}`,
      );
    else if (handle instanceof Server) console.error(`Server: ${handle[OPENED]}`);
  }
});
