import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConnectError, IllegalStateError } from '../../../src/core/errors.js';
import type { FaultProxy } from '../../support/fault-proxy.js';
import {
  aJob,
  eventually,
  Gate,
  KafkaFixture,
  openProxy,
  openSockets,
  TestHandler,
  through,
} from '../../support/kafka-fixture.js';

let kafka: KafkaFixture;
let proxy: FaultProxy;
beforeEach(async () => {
  kafka = await KafkaFixture.open();
  proxy = await openProxy();
});
afterEach(async () => {
  proxy.set('pass');
  await kafka.close();
  await proxy.close();
});

/** Gives up soon, so that faults show soon. */
const IMPATIENT = { requestTimeout: 1000, retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 100 } };

describe('connecting', () => {
  it('to nobody fails with an error that names the cause, in time', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const queue = kafka.queue({ kafka: { brokers: [`127.0.0.1:${port}`] }, connectTimeoutMs: 1500 });
    const started = Date.now();
    const error: unknown = await queue.connect().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConnectError);
    expect((error as ConnectError).message).toMatch(/Kafka could not be reached within 1500 ms: .*ECONNREFUSED/);
    expect(Date.now() - started).toBeLessThan(2500);
  });

  it('to a server that does not answer fails in time, and leaves no socket', async () => {
    const sockets = openSockets();
    proxy.set('hole');
    const queue = kafka.queue({ kafka: through(proxy, { requestTimeout: 60_000 }), connectTimeoutMs: 1500 });
    const started = Date.now();
    await expect(queue.connect()).rejects.toThrow(ConnectError);
    expect(Date.now() - started).toBeLessThan(2500);
    await queue.close();
    proxy.cut();
    await eventually(() => openSockets() <= sockets);
  });

  it('waits for a server that comes later', async () => {
    proxy.set('refuse');
    const queue = kafka.queue({ kafka: through(proxy), connectTimeoutMs: 10_000 });
    const connecting = queue.connect();
    await eventually(() => kafka.logger.lines.some(({ message }) => message.includes('could not be reached')));
    proxy.set('pass');
    await connecting;
    await queue.provision();
    await queue.publish(aJob(1));
  });
});

describe('publishing', () => {
  it('while the server is away waits, and nothing that was acknowledged is missing', async () => {
    const queue = await kafka.readyQueue({ kafka: through(proxy) });
    await queue.publish(aJob(0));
    let acknowledged = 0;
    const count = () => acknowledged++;
    const before = Array.from({ length: 300 }, (_, i) => queue.publish(aJob(1 + i)).then(count));
    proxy.set('refuse');
    proxy.cut();
    const during = Array.from({ length: 300 }, (_, i) => queue.publish(aJob(301 + i)).then(count));
    await eventually(() => kafka.logger.lines.some(({ message }) => message.includes('fails and is repeated')));
    expect(acknowledged).toBeLessThan(600);
    proxy.set('pass');
    await Promise.all([...before, ...during]);
    const handler = new TestHandler();
    await queue.consume(handler);
    await handler.until(() => new Set(handler.nodeIds).size === 601);
  });

  it('through a server that hangs goes on when it answers again, and loses nothing', async () => {
    const queue = await kafka.readyQueue({ kafka: through(proxy, { requestTimeout: 800 }) });
    const publishing: Promise<void>[] = [];
    for (let round = 0; round < 4; round++) {
      proxy.set(round % 2 === 0 ? 'hole' : 'pass');
      for (let i = 0; i < 100; i++) publishing.push(queue.publish(aJob(round * 100 + i)));
      await new Promise((resolve) => setTimeout(resolve, 1000)); // longer than a request may take
    }
    await Promise.all(publishing);
    const handler = new TestHandler();
    await queue.consume(handler);
    await handler.until(() => new Set(handler.nodeIds).size === 400);
  }, 30_000);

  it('that is not acknowledged when the queue closes is rejected, in time', async () => {
    const queue = await kafka.readyQueue({ kafka: through(proxy), closeTimeoutMs: 1000 });
    await queue.publish(aJob(0));
    for (const mode of ['refuse', 'hole'] as const) {
      const other = kafka.queue({ kafka: through(proxy), closeTimeoutMs: 1000 });
      await other.connect();
      proxy.set(mode);
      if (mode === 'refuse') proxy.cut();
      const publishing = Promise.allSettled([other.publish(aJob(1)), other.publish(aJob(2))]);
      const started = Date.now();
      await other.close();
      expect(Date.now() - started).toBeLessThan(3000);
      for (const result of await publishing)
        expect(result).toMatchObject({ status: 'rejected', reason: expect.any(IllegalStateError) as unknown });
      proxy.set('pass');
    }
  }, 20_000);
});

describe('a consumer', () => {
  it('that kafkajs gave up is replaced, and goes on where it was', async () => {
    const queue = await kafka.readyQueue({
      kafka: through(proxy, IMPATIENT),
      partitions: 2,
      consumer: { sessionTimeout: 6000 },
    });
    const sender = await kafka.readyQueue();
    const handler = new TestHandler();
    const consumer = await queue.consume(handler);
    await sender.publish(aJob(0));
    await handler.receives(1);
    await eventually(async () => (await kafka.committedTotal()) === 1);
    proxy.set('refuse');
    proxy.cut();
    await eventually(() => consumer.restarts >= 2);
    expect(consumer.state).toBe('restarting');
    expect(
      kafka.logger.lines.some(
        ({ level, message }) => level === 'warn' && message.startsWith('The Kafka consumer crashed'),
      ),
    ).toBe(true);
    for (let i = 1; i <= 20; i++) await sender.publish(aJob(i));
    proxy.set('pass');
    await eventually(() => new Set(handler.nodeIds).size === 21, 20_000);
    expect(consumer.state).toBe('consuming');
    expect(handler.nodeIds.filter((id) => id === 'node-0')).toHaveLength(1);
    await eventually(async () => (await kafka.committedTotal()) === 21);
  }, 40_000);

  it('goes on after a server that hung', async () => {
    const queue = await kafka.readyQueue({ kafka: through(proxy, IMPATIENT), consumer: { sessionTimeout: 6000 } });
    const sender = await kafka.readyQueue();
    const handler = new TestHandler();
    const consumer = await queue.consume(handler);
    proxy.set('hole');
    for (let i = 0; i < 20; i++) await sender.publish(aJob(i));
    await new Promise((resolve) => setTimeout(resolve, 4500)); // longer than the watchdog waits
    proxy.set('pass');
    await eventually(() => new Set(handler.nodeIds).size === 20, 20_000);
    await eventually(() => consumer.state === 'consuming');
    await eventually(async () => (await kafka.committedTotal()) === 20, 20_000);
  }, 60_000);

  it('repeats a commit that failed', async () => {
    const queue = await kafka.readyQueue({ kafka: through(proxy), partitions: 1 });
    const handler = new TestHandler();
    const gate = new Gate();
    handler.respond = () => gate.opened;
    await queue.consume(handler);
    for (let i = 0; i < 5; i++) await queue.publish(aJob(i));
    await handler.receives(5);
    proxy.cut();
    gate.open();
    await eventually(async () => (await kafka.committed())[0] === 5, 20_000);
  }, 40_000);

  it.each(['refuse', 'hole'] as const)(
    'stops in time while the server does: %s, and leaves no socket',
    async (mode) => {
      const sockets = openSockets();
      const queue = await kafka.readyQueue({ kafka: through(proxy), closeTimeoutMs: 1000 });
      const handler = new TestHandler();
      await queue.consume(handler);
      await queue.publish(aJob(0));
      await handler.receives(1);
      proxy.set(mode);
      if (mode === 'refuse') proxy.cut();
      const started = Date.now();
      await queue.close();
      expect(Date.now() - started).toBeLessThan(6000);
      proxy.set('pass');
      proxy.cut();
      await eventually(() => openSockets() <= sockets);
    },
    30_000,
  );

  it('stops while it is being replaced', async () => {
    const queue = await kafka.readyQueue({ kafka: through(proxy, IMPATIENT), closeTimeoutMs: 1000 });
    const consumer = await queue.consume(new TestHandler());
    proxy.set('refuse');
    proxy.cut();
    await eventually(() => consumer.restarts >= 1);
    await consumer.stop();
    expect(consumer.state).toBe('stopped');
    const { restarts } = consumer;
    proxy.set('pass');
    await new Promise((resolve) => setTimeout(resolve, 1500)); // longer than the pause before a restart
    expect(consumer.restarts).toBe(restarts);
    const { groups } = await kafka.admin.describeGroups([kafka.groupId]);
    expect(consumer.state).toBe('stopped');
    expect(groups[0]?.state).not.toBe('PreparingRebalance');
  }, 20_000);

  it('starts without a server and consumes when there is one', async () => {
    await kafka.readyQueue();
    const queue = kafka.queue({ kafka: through(proxy, IMPATIENT) });
    proxy.set('refuse');
    const handler = new TestHandler();
    const consumer = await queue.consume(handler);
    expect(consumer.state).toBe('restarting');
    await kafka.send({ value: 'x' });
    proxy.set('pass');
    await handler.receives(1);
    expect(consumer.state).toBe('consuming');
  }, 20_000);
});
