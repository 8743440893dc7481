/** Asks each server, in its own wire protocol, whether it serves requests. */
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOST } from './settings.mjs';

const PROBE_TIMEOUT_MS = 2_000;
const POLL_INTERVAL_MS = 200;

/** ApiVersions v0: size, api key 18, version 0, correlation id, client id. Answer: size, correlation id, error code. */
export function kafkaAnswers(port) {
  const clientId = 'stack';
  const correlationId = 7;
  const request = Buffer.alloc(14 + clientId.length);
  request.writeInt32BE(request.length - 4, 0);
  request.writeInt16BE(18, 4);
  request.writeInt16BE(0, 6);
  request.writeInt32BE(correlationId, 8);
  request.writeInt16BE(clientId.length, 12);
  request.write(clientId, 14, 'ascii');
  return exchange(
    port,
    request,
    10,
    (answer) => answer.readInt32BE(4) === correlationId && answer.readInt16BE(8) === 0,
  );
}

/** Native protocol v4, an empty OPTIONS (5) frame. Answer: a SUPPORTED (6) frame of the same version. */
export function cassandraAnswers(port) {
  const request = Buffer.from([0x04, 0, 0, 0, 0x05, 0, 0, 0, 0]);
  return exchange(port, request, 9, (answer) => answer[0] === 0x84 && answer[4] === 0x06);
}

/** A server that still loads its data answers PING with -LOADING, and so does not count. */
export function redisAnswers(port) {
  return exchange(port, Buffer.from('PING\r\n'), 7, (answer) => answer.toString('latin1').startsWith('+PONG\r\n'));
}

/** Resolves true once `isReady` holds, false as soon as `isAlive` does not or the time is over. */
export async function waitUntilReady({ isReady, isAlive, timeoutMs }) {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (!isAlive()) return false;
    // Asked again, so that nothing else that answers on the port is taken for a server that has just ended.
    if (await isReady()) return isAlive();
    await sleep(POLL_INTERVAL_MS);
  }
  return false;
}

function exchange(port, request, answerSize, isGood) {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    const finish = (good) => {
      socket.destroy();
      resolve(good);
    };
    let answer = Buffer.alloc(0);
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= answerSize) finish(isGood(answer));
    });
  });
}
