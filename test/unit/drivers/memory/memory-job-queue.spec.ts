import { describe, expect, it } from '@jest/globals';
import { IllegalStateError } from '../../../../src/core/errors.js';
import { MemoryBroker } from '../../../../src/drivers/memory/memory-broker.js';
import { MemoryJobQueue } from '../../../../src/drivers/memory/memory-job-queue.js';
import { jobOf, TestHandler } from '../../../contract/job-queue-bench.js';
import { jobQueueContract } from '../../../contract/job-queue-contract.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

jobQueueContract('memory', async () => {
  const broker = new MemoryBroker();
  const queues: MemoryJobQueue[] = [];
  return {
    queue: async () => {
      const queue = new MemoryJobQueue(broker, new RecordingLogger());
      queues.push(queue);
      await queue.connect();
      await queue.provision();
      return queue;
    },
    send: async (key, value) => broker.append(key, value),
    deadLetters: async () => broker.deadLetters,
    close: async () => {
      for (const queue of queues) await queue.close();
    },
  };
});

describe('MemoryJobQueue', () => {
  const open = async (broker: MemoryBroker, group?: string) => {
    const queue = new MemoryJobQueue(broker, new RecordingLogger(), group);
    await queue.connect();
    return queue;
  };

  it('delivers outside of the call that published', async () => {
    const queue = await open(new MemoryBroker());
    const handler = new TestHandler();
    await queue.consume(handler);
    await queue.publish(jobOf('r', 'a'));
    expect(handler.seen).toEqual([]);
    await handler.hasSeen('a');
    await queue.close();
  });

  it('delivers each message to every group', async () => {
    const broker = new MemoryBroker();
    const [one, other] = [await open(broker, 'one'), await open(broker, 'other')];
    const handlers = [new TestHandler(), new TestHandler()] as const;
    await one.consume(handlers[0]);
    await one.publish(jobOf('r', 'a'));
    await other.consume(handlers[1]);
    for (const handler of handlers) await handler.hasSeen('a');
    await one.close();
    await other.close();
  });

  it('drops what every group has done, and still knows where each goes on', async () => {
    const broker = new MemoryBroker({ partitions: 1 });
    const queue = await open(broker);
    const handler = new TestHandler();
    const consumer = await queue.consume(handler);
    for (let i = 0; i < 2000; i++) await queue.publish(jobOf('r', `n${i}`));
    await handler.hasDone('n1999');
    await consumer.stop();
    expect(broker.read(0, 0)).toBeUndefined();
    await queue.publish(jobOf('r', 'next'));
    const again = new TestHandler();
    await queue.consume(again);
    await again.hasSeen('next');
    expect(again.nodes).toEqual(['next']);
    expect(again.seen[0]?.offset).toBe('2000');
    await queue.close();
  });

  it('sends equal keys to one partition and spreads different ones', async () => {
    const broker = new MemoryBroker({ partitions: 4 });
    for (let i = 0; i < 100; i++) broker.append(`run-${i}`, null);
    for (const partition of [0, 1, 2, 3]) expect(broker.read(partition, 10)).toBeDefined();
  });

  it('needs to be connected', async () => {
    const queue = new MemoryJobQueue(new MemoryBroker(), new RecordingLogger());
    await expect(queue.publish(jobOf('r', 'a'))).rejects.toBeInstanceOf(IllegalStateError);
    await queue.close();
    await expect(queue.connect()).rejects.toBeInstanceOf(IllegalStateError);
  });

  it('tries again to hand over what a handler refused to admit when more arrives', async () => {
    const logger = new RecordingLogger();
    const queue = new MemoryJobQueue(new MemoryBroker(), logger);
    await queue.connect();
    const handler = new TestHandler();
    let refused: (() => void) | undefined;
    const refusal = new Promise<void>((resolve) => (refused = resolve));
    const admit = handler.admit.bind(handler);
    handler.admit = async () => {
      handler.admit = admit;
      refused?.();
      throw new Error('no');
    };
    await queue.consume(handler);
    await queue.publish(jobOf('r', 'a'));
    await refusal;
    await new Promise((resolve) => setImmediate(resolve));
    await queue.publish(jobOf('r', 'b'));
    await handler.hasSeen('a', 'b');
    expect(logger.lines.some((line) => line.level === 'error')).toBe(true);
    await queue.close();
  });
});
