import { describe, expect, it } from '@jest/globals';
import type { Consumer, ConsumerRunConfig, EachBatchPayload, Kafka, Offsets } from 'kafkajs';
import { KafkaAdmission } from '../../../../src/drivers/kafka/kafka-admission.js';
import { KafkaJobConsumer } from '../../../../src/drivers/kafka/kafka-job-consumer.js';
import type { RawMessage } from '../../../../src/ports/job-queue.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

/** kafkajs as seen from the driver: events and batches come when the test says so. */
class FakeKafka {
  readonly resolved: string[] = [];
  readonly committed: string[] = [];
  restartOnFailure: unknown;
  running = true;
  private readonly listeners = new Map<string, (event: { payload: unknown }) => void>();
  private eachBatch: ConsumerRunConfig['eachBatch'];

  readonly consumer = {
    events: {
      FETCH_START: 'fetchStart',
      FETCH: 'fetch',
      HEARTBEAT: 'heartbeat',
      REBALANCING: 'rebalancing',
      GROUP_JOIN: 'join',
      CRASH: 'crash',
    },
    on: (name: string, listener: (event: { payload: unknown }) => void) => this.listeners.set(name, listener),
    connect: async () => undefined,
    subscribe: async () => undefined,
    run: async (config: ConsumerRunConfig) => {
      this.eachBatch = config.eachBatch;
      expect(config).toMatchObject({ autoCommit: false, eachBatchAutoResolve: false });
    },
    pause: () => undefined,
    disconnect: async () => undefined,
  } as unknown as Consumer;

  readonly kafka = {
    consumer: (config: { retry: { restartOnFailure: () => Promise<boolean> } }) => {
      this.restartOnFailure = config.retry.restartOnFailure;
      return this.consumer;
    },
  } as unknown as Kafka;

  emit(name: string, payload: unknown = {}): void {
    this.listeners.get(name)?.({ payload });
  }

  join(...partitions: number[]): void {
    this.emit('join', { memberAssignment: { jobs: partitions } });
  }

  batch(partition: number, offsets: number[]): Promise<void> {
    const messages = offsets.map((offset) => ({ key: null, value: null, offset: String(offset) }));
    const payload = {
      batch: { partition, messages },
      resolveOffset: (offset: string) => this.resolved.push(`${partition}:${offset}`),
      heartbeat: async () => undefined,
      commitOffsetsIfNecessary: async (sent: Offsets) => {
        for (const p of sent.topics[0]?.partitions ?? []) this.committed.push(`${p.partition}:${p.offset}`);
      },
      isRunning: () => this.running,
      isStale: () => false,
    };
    return this.eachBatch?.(payload as unknown as EachBatchPayload) ?? Promise.resolve();
  }
}

async function aConsumer(
  handle: (message: RawMessage) => Promise<void> = async () => undefined,
  admit: () => Promise<void> = async () => undefined,
) {
  const fake = new FakeKafka();
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const events: string[] = [];
  const handed: string[] = [];
  const handler = {
    admit,
    handle: (message: RawMessage) => {
      handed.push(`${message.partition}:${message.offset}`);
      return handle(message);
    },
  };
  const consumer = new KafkaJobConsumer(
    { kafka: fake.kafka, sever: () => events.push('severed') },
    { topic: 'jobs', config: { groupId: 'g', heartbeatInterval: 2000 }, commitIntervalMs: 200, maxOpenPerPartition: 3 },
    handler,
    new KafkaAdmission(handler, clock, logger),
    {
      joined: (p) => events.push(`joined ${p.join()}`),
      rebalancing: () => events.push('rebalancing'),
      crashed: (e) => events.push(`crashed ${e.message}`),
    },
    clock,
    logger,
  );
  await consumer.start();
  return { fake, clock, events, handed, consumer };
}

describe('a consumer', () => {
  it('never lets kafkajs restart it behind the back of the supervisor', async () => {
    const { fake } = await aConsumer();
    expect(await (fake.restartOnFailure as () => Promise<boolean>)()).toBe(false);
  });

  it('takes nothing before it has joined', async () => {
    const { fake, handed } = await aConsumer();
    await fake.batch(0, [0]);
    expect(handed).toEqual([]);
    fake.join(0);
    await fake.batch(0, [0]);
    expect(handed).toEqual(['0:0']);
  });

  it('commits what is done when the group rebalances, and nothing of it afterwards', async () => {
    const done: (() => void)[] = [];
    const { fake, clock } = await aConsumer(() => new Promise((resolve) => done.push(resolve)));
    fake.join(0);
    await fake.batch(0, [0, 1, 2]);
    done[0]?.();
    await settle();
    fake.emit('rebalancing');
    expect(fake.committed).toEqual(['0:1']);
    fake.join(0);
    await fake.batch(0, [1]);
    done[1]?.();
    done[2]?.();
    await settle();
    clock.advance(1000);
    await settle();
    expect(fake.committed).toEqual(['0:1']);
    done[3]?.();
    await settle();
    clock.advance(1000);
    await settle();
    expect(fake.committed).toEqual(['0:1', '0:2']);
  });

  it('leaves a batch when the group assigns anew while it waits for room', async () => {
    let admit: () => void = () => undefined;
    const { fake, handed } = await aConsumer(undefined, () => new Promise((resolve) => (admit = resolve)));
    fake.join(0, 1);
    const batch = fake.batch(0, [0, 1]);
    await settle();
    fake.join(1);
    await batch;
    admit();
    await settle();
    expect(handed).toEqual([]);
    expect(fake.resolved).toEqual([]);
  });

  it('drops what a broker was asked for before the group assigned anew', async () => {
    const { fake, handed } = await aConsumer();
    fake.join(0, 1);
    fake.emit('fetchStart', { nodeId: 1 });
    fake.emit('fetchStart', { nodeId: 2 });
    fake.join(0, 1);
    fake.emit('fetch', { nodeId: 1 });
    await fake.batch(0, [500]);
    expect([handed, fake.resolved]).toEqual([[], []]);
    fake.emit('fetchStart', { nodeId: 2 });
    fake.emit('fetchStart', { nodeId: 1 });
    await fake.batch(0, [400]);
    expect(handed).toEqual(['0:400']);
  });

  it('leaves its batches when kafkajs stops running', async () => {
    const { fake, clock, handed } = await aConsumer(() => new Promise(() => undefined));
    fake.join(0);
    const batch = fake.batch(0, [0, 1, 2, 3]);
    await settle();
    expect(handed).toHaveLength(3);
    fake.running = false;
    clock.advance(1000);
    await batch;
    expect(handed).toHaveLength(3);
  });

  it('that crashed says so, commits nothing more and takes nothing more', async () => {
    const done: (() => void)[] = [];
    const { fake, clock, events, handed } = await aConsumer(() => new Promise((resolve) => done.push(resolve)));
    fake.join(0);
    await fake.batch(0, [0]);
    fake.emit('crash', { error: new Error('no coordinator'), restart: false });
    done[0]?.();
    await settle();
    clock.advance(1000);
    await fake.batch(0, [1]);
    expect(events).toEqual(['joined 0', 'crashed no coordinator']);
    expect(handed).toEqual(['0:0']);
    expect(fake.committed).toEqual([]);
  });

  it('that is stopped commits what is done and ends its sockets', async () => {
    const { fake, consumer, events } = await aConsumer();
    fake.join(0);
    await fake.batch(0, [0, 1]);
    await consumer.stop(1000);
    expect(fake.committed).toEqual(['0:2']);
    expect(events).toEqual(['joined 0', 'severed']);
  });
});
