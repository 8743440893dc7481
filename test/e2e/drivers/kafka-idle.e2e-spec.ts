import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { aJob, KafkaFixture, TestHandler } from '../../support/kafka-fixture.js';

const MEASURED_MS = 2000;

let kafka: KafkaFixture;
beforeEach(async () => {
  kafka = await KafkaFixture.open();
});
afterEach(async () => {
  await kafka.close();
});

// the guard stays for the rest of the process: first without it
it.each([
  { idleGuard: false, atLeast: 300, atMost: Infinity },
  { idleGuard: true, atLeast: 0, atMost: 20 },
])(
  'an idle queue sets $atLeast to $atMost timers a second with idleGuard $idleGuard',
  async ({ idleGuard, atLeast, atMost }) => {
    const queue = await kafka.readyQueue({ idleGuard });
    const handler = new TestHandler();
    await queue.consume(handler);
    await queue.publish(aJob(1));
    await handler.receives(1);
    const perSecond = await timersPerSecond();
    expect(perSecond).toBeGreaterThanOrEqual(atLeast);
    expect(perSecond).toBeLessThanOrEqual(atMost);
    await queue.publish(aJob(2));
    await handler.receives(2);
  },
);

async function timersPerSecond(): Promise<number> {
  const { setTimeout: real } = globalThis;
  let timers = 0;
  globalThis.setTimeout = ((...args: Parameters<typeof real>) => {
    timers++;
    return real(...args);
  }) as typeof real;
  try {
    await new Promise((resolve) => real(resolve, MEASURED_MS));
  } finally {
    globalThis.setTimeout = real;
  }
  return (timers / MEASURED_MS) * 1000;
}
