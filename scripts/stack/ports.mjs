/** Finds out whether a port is free before a server is started on it. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { StackError } from './errors.mjs';
import { HOST } from './settings.mjs';

const CONNECT_TIMEOUT_MS = 1_000;

/** `ports`: list of { port, purpose, variable }. */
export async function assertPortsFree(serverName, ports) {
  for (const { port, purpose, variable } of ports) {
    if (!(await isPortTaken(port))) continue;
    throw new StackError(
      [
        `${serverName}: port ${port} (${purpose}) is in use by a process that this stack did not start.`,
        `Stop that process (find it with: ss -ltnp 'sport = :${port}', or: lsof -i :${port}),`,
        `or choose another port: ${variable}=<port>. A second stack beside a running one also needs its own STACK_DIR.`,
      ].join('\n'),
    );
  }
}

/** Binding alone misses a listener on all interfaces on some systems, connecting alone misses a stuck one. */
export async function isPortTaken(port) {
  return (await accepts(port)) || !(await canBind(port));
}

async function canBind(port) {
  const server = createServer();
  try {
    server.listen({ host: HOST, port, exclusive: true });
    await once(server, 'listening');
    return true;
  } catch (error) {
    if (error.code === 'EADDRINUSE') return false;
    throw new StackError(`Cannot listen on ${HOST}:${port}: ${error.message}`);
  } finally {
    server.close();
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    const finish = (open) => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => finish(false));
    socket.on('connect', () => finish(true));
    socket.on('error', () => finish(false));
  });
}
