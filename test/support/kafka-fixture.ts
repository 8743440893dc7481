import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { Kafka, logLevel, Partitioners, type Admin, type KafkaConfig, type Message } from 'kafkajs';
import type { Job } from '../../src/core/envelope.js';
import { KafkaJobQueue, type KafkaJobQueueOptions } from '../../src/drivers/kafka/kafka-job-queue.js';
import { SystemClock } from '../../src/drivers/system/system-clock.js';
import { SystemIds } from '../../src/drivers/system/system-ids.js';
import type { JobHandler, RawMessage } from '../../src/ports/job-queue.js';
import { FaultProxy } from './fault-proxy.js';
import { RecordingLogger } from './recording-logger.js';

export const BROKERS = (process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092').split(',');

/** A topic and a group for one test, and what the test opened on them. */
export class KafkaFixture {
  readonly topic = `test-jobs-${randomUUID()}`;
  readonly groupId = `test-group-${randomUUID()}`;
  readonly logger = new RecordingLogger();
  private readonly kafka = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
  private readonly queues: KafkaJobQueue[] = [];
  private readonly readers: string[] = [];

  private constructor(readonly admin: Admin) {}

  static async open(): Promise<KafkaFixture> {
    const admin = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    return new KafkaFixture(admin);
  }

  /** A queue that is neither connected nor provisioned. It is closed with the fixture. */
  queue(options: Partial<KafkaJobQueueOptions> = {}): KafkaJobQueue {
    const { topic, groupId, logger } = this;
    const queue = new KafkaJobQueue(
      { kafka: { brokers: BROKERS }, topic, groupId, partitions: 4, ...options },
      { clock: new SystemClock(), ids: new SystemIds(), logger },
    );
    this.queues.push(queue);
    return queue;
  }

  /** A queue that is ready, its topics created. */
  async readyQueue(options: Partial<KafkaJobQueueOptions> = {}): Promise<KafkaJobQueue> {
    const queue = this.queue(options);
    await queue.connect();
    await queue.provision();
    return queue;
  }

  /** Sends to the topic without the driver. */
  async send(...messages: Message[]): Promise<void> {
    const producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({ topic: this.topic, messages });
    await producer.disconnect();
  }

  /** All messages of a topic, from its beginning, once there are `count`. */
  async read(topic: string, count: number): Promise<Message[]> {
    const groupId = `test-reader-${randomUUID()}`;
    this.readers.push(groupId);
    const consumer = this.kafka.consumer({ groupId, maxWaitTimeInMs: 50 });
    const found: Message[] = [];
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({ message }: { message: Message }) => {
        found.push(message);
        if (found.length >= count) resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
    await consumer.disconnect();
    return found;
  }

  /** The group's committed offset of each partition, -1 where there is none. */
  async committed(): Promise<number[]> {
    const [topic] = await this.admin.fetchOffsets({ groupId: this.groupId, topics: [this.topic] });
    return [...(topic?.partitions ?? [])].sort((a, b) => a.partition - b.partition).map((p) => Number(p.offset));
  }

  async committedTotal(): Promise<number> {
    return (await this.committed()).reduce((sum, offset) => sum + Math.max(0, offset), 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.queues.map((queue) => queue.close()));
    const topics = (await this.admin.listTopics()).filter((name) => name.startsWith(this.topic));
    if (topics.length > 0) await this.admin.deleteTopics({ topics });
    await this.deleteGroups();
    await this.admin.disconnect();
  }

  private async deleteGroups(): Promise<void> {
    const { groups } = await this.admin.listGroups();
    const own = groups.map(({ groupId }) => groupId).filter((id) => id === this.groupId || this.readers.includes(id));
    if (own.length === 0) return;
    try {
      await this.admin.deleteGroups(own);
    } catch (error) {
      // a member that could not leave stays until its session ends; Kafka forgets the group by itself then
      this.logger.debug('A test group was not deleted', { error });
    }
  }
}

/** Brokers name their own address, so every connection has to be led through the proxy. */
export function through(proxy: FaultProxy, config: Partial<KafkaConfig> = {}): KafkaConfig {
  const socketFactory = ({ onConnect }: { onConnect: () => void }) =>
    connect({ host: '127.0.0.1', port: proxy.port }, onConnect);
  return { brokers: BROKERS, socketFactory, ...config };
}

export async function openProxy(): Promise<FaultProxy> {
  const [host = '127.0.0.1', port = '9092'] = (BROKERS[0] ?? '').split(':');
  return FaultProxy.open(Number(port), host);
}

export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}

export function aJob(number: number, runId = `run-${number}`): Job {
  return { runId, blueprintId: 'blueprint', nodeId: `node-${number}`, turn: '1' };
}

/** A handler whose room and whose results the test decides. */
export class TestHandler implements JobHandler {
  readonly received: RawMessage[] = [];
  /** What becomes of a message; default: done at once. */
  respond: (message: RawMessage) => Promise<void> | void = () => undefined;
  room: () => Promise<void> | void = () => undefined;
  private readonly waiting: { isMet: () => boolean; resolve: () => void }[] = [];

  async admit(): Promise<void> {
    await this.room();
  }

  async handle(message: RawMessage): Promise<void> {
    this.received.push(message);
    this.tell();
    await this.respond(message);
  }

  get nodeIds(): string[] {
    return this.received.map(nodeIdOf);
  }

  /** Resolves when `isMet`; asked whenever a message arrives. */
  until(isMet: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ isMet, resolve });
      this.tell();
    });
  }

  receives(count: number): Promise<void> {
    return this.until(() => this.received.length >= count);
  }

  private tell(): void {
    for (const { isMet, resolve } of this.waiting) if (isMet()) resolve();
  }
}

export function nodeIdOf(message: RawMessage): string {
  return (JSON.parse(message.value?.toString() ?? '{}') as Job).nodeId;
}

/** Asks again and again until it holds: for what a server tells nobody by itself. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`It did not become true within ${withinMs} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export class Gate {
  readonly opened: Promise<void>;
  open: () => void = () => undefined;

  constructor() {
    this.opened = new Promise((resolve) => (this.open = resolve));
  }
}
