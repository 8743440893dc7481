import { createRequire } from 'node:module';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { guardIdleTimers } from '../../../../src/drivers/kafka/kafka-idle-guard.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

interface Entry {
  correlationId: number;
  resolve: () => void;
  reject: (error: Error) => void;
}
interface Queue {
  throttleCheckTimeoutId: unknown;
  pending: unknown[];
  inflight: Map<number, unknown>;
  push(request: { entry: Entry; expectResponse: boolean; sendRequest: () => void }): void;
  fulfillRequest(response: { correlationId: number; payload: unknown; size: number }): void;
  maybeThrottle(ms: number): void;
  scheduleRequestTimeoutCheck(): void;
  checkPendingRequests(): void;
  destroy(): void;
}

const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as new (
  options: object,
) => Queue;
const silent = { debug: () => undefined, warn: () => undefined };
const queues: Queue[] = [];

function aQueue(options: object = {}): Queue {
  const queue = new RequestQueue({
    requestTimeout: 100,
    enforceRequestTimeout: true,
    clientId: 'c',
    broker: 'b',
    logger: silent,
    ...options,
  });
  queues.push(queue);
  return queue;
}

/** Sends request `id`; `outcome` says how it ended. */
function send(queue: Queue, id: number): { isSent: () => boolean; outcome: Promise<string> } {
  let sent = false;
  const outcome = new Promise<string>((resolve) => {
    const entry = {
      correlationId: id,
      resolve: () => resolve('answered'),
      reject: (error: Error) => resolve(error.name),
    };
    queue.push({ entry, expectResponse: true, sendRequest: () => (sent = true) });
  });
  return { isSent: () => sent, outcome };
}

beforeAll(() => {
  expect(guardIdleTimers(new RecordingLogger())).toBe(true);
});
afterEach(() => {
  for (const queue of queues.splice(0)) queue.destroy();
});

describe('a guarded request queue', () => {
  it('sets no timer while nothing is pending', async () => {
    const queue = aQueue();
    queue.checkPendingRequests();
    expect(queue.throttleCheckTimeoutId).toBeNull();
    const request = send(queue, 1);
    queue.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
    expect(await request.outcome).toBe('answered');
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });

  it('sends what is pending when the broker no longer throttles, and then sets no timer', async () => {
    const queue = aQueue();
    queue.maybeThrottle(60);
    const started = Date.now();
    const request = send(queue, 1);
    expect(request.isSent()).toBe(false);
    while (!request.isSent()) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(Date.now() - started).toBeGreaterThanOrEqual(59);
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
    await request.outcome;
  });

  it('sends what waits above the limit of requests in flight as they are answered', async () => {
    const queue = aQueue({ maxInFlightRequests: 1 });
    const requests = [send(queue, 1), send(queue, 2), send(queue, 3)];
    expect(requests.map((r) => r.isSent())).toEqual([true, false, false]);
    queue.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
    expect(requests.map((r) => r.isSent())).toEqual([true, true, false]);
    queue.fulfillRequest({ correlationId: 2, payload: null, size: 0 });
    queue.fulfillRequest({ correlationId: 3, payload: null, size: 0 });
    expect(await Promise.all(requests.map((r) => r.outcome))).toEqual(['answered', 'answered', 'answered']);
  });

  it('still gives up requests that are not answered, and sends what waited for them', async () => {
    const queue = aQueue({ maxInFlightRequests: 1 });
    queue.scheduleRequestTimeoutCheck();
    const requests = [send(queue, 1), send(queue, 2)];
    expect(await requests[0]?.outcome).toBe('KafkaJSRequestTimeoutError');
    expect(requests[1]?.isSent()).toBe(true);
    expect(await requests[1]?.outcome).toBe('KafkaJSRequestTimeoutError');
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });

  it('is guarded once, however often it is asked for', () => {
    const { scheduleCheckPendingRequests } = RequestQueue.prototype as Record<string, unknown>;
    expect(guardIdleTimers(new RecordingLogger())).toBe(true);
    expect((RequestQueue.prototype as Record<string, unknown>)['scheduleCheckPendingRequests']).toBe(
      scheduleCheckPendingRequests,
    );
  });
});
