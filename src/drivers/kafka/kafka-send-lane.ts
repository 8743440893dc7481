import type { Producer } from 'kafkajs';
import { backoffMs, type Backoff } from '../../core/backoff.js';
import { IllegalStateError, JobMalformedError } from '../../core/errors.js';
import type { Logger } from '../../ports/logger.js';
import type { KafkaClient } from './kafka-client.js';
import { pause, within } from './kafka-deadline.js';
import { isMessageFault, isTooLarge } from './kafka-errors.js';
import type { OutgoingMessage } from './kafka-messages.js';
import { partitioner } from './kafka-partitioner.js';

/** kafkajs groups the messages of a send in quadratic time. */
const MAX_MESSAGES = 500;
/** So many are worth a send of their own. */
const ENOUGH_MESSAGES = 200;
/** Well below the largest batch that a broker takes by default (1 MiB). */
const MAX_BYTES = 512 * 1024;
const MESSAGE_OVERHEAD_BYTES = 64;
const BACKOFF: Backoff = { firstMs: 100, maxMs: 2000 };
/** A failing send is reported at its first try and then about once a minute. */
const REPORT_EVERY = 30;

interface Waiting {
  readonly message: OutgoingMessage;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What a lane sends through. */
export interface LaneProducer {
  connect(): Promise<void>;
  sendBatch: Producer['sendBatch'];
  disconnect(): Promise<void>;
  /** Ends its sockets, whatever it waits for. */
  readonly sever: () => void;
}

export interface LaneSettings {
  /** How long the broker may wait for its replicas. */
  readonly timeoutMs: number;
  /** For so long messages that can wait are collected. */
  readonly lingerMs: number;
  readonly random: () => number;
  readonly backoff?: Backoff;
}

/** A plain producer: kafkajs' idempotent one loses acknowledged messages, and duplicates are harmless here. */
export function openProducer(client: KafkaClient): LaneProducer {
  const { kafka, sever } = client.open({ repeated: true });
  const producer = kafka.producer({
    createPartitioner: partitioner,
    allowAutoTopicCreation: false,
    idempotent: false,
    retry: { retries: 0 },
  });
  return {
    connect: () => producer.connect(),
    sendBatch: (batch) => producer.sendBatch(batch),
    disconnect: () => producer.disconnect(),
    sever,
  };
}

/**
 * Sends messages to one topic, at most one send at a time; what comes meanwhile goes together with the next one. A
 * message may reach the topic twice, but none that was acknowledged is missing. A send that fails is repeated, in
 * order, until the lane is closed: only messages that the broker can never take are rejected.
 */
export class KafkaSendLane {
  private waiting: Waiting[] = [];
  private running: Promise<void> | undefined;
  /** Something waits that must not wait longer than it has to. */
  private hurries = false;
  private linger: NodeJS.Timeout | undefined;
  private connected = false;
  private readonly closing = new AbortController();

  constructor(
    private readonly topic: string,
    private readonly producer: LaneProducer,
    private readonly settings: LaneSettings,
    private readonly logger: Logger,
  ) {}

  /** Messages that are not acknowledged. */
  get pending(): number {
    return this.waiting.length;
  }

  async connect(): Promise<void> {
    await this.producer.connect();
    this.connected = true;
  }

  /**
   * Resolves when the message is durable.
   * @param canWait it may wait `lingerMs` for others to go with
   * @throws IllegalStateError if the lane is closed first
   * @throws JobMalformedError if the broker can never take this message
   */
  send(message: OutgoingMessage, canWait = false): Promise<void> {
    if (this.closing.signal.aborted) return Promise.reject(this.closedError());
    return new Promise((resolve, reject) => {
      this.waiting.push({ message, bytes: sizeOf(message), resolve, reject });
      if (!canWait || this.settings.lingerMs === 0 || this.waiting.length >= ENOUGH_MESSAGES) this.hurry();
      else if (!this.running) this.hurryLater();
    });
  }

  /** Sends what waits, as long as sending succeeds, and rejects the rest. Ends within `timeoutMs`, or little later. */
  async close(timeoutMs: number): Promise<void> {
    this.closing.abort();
    this.hurry();
    const ignore = (error: unknown) => this.logger.debug(`The producer of '${this.topic}' did not close`, { error });
    if (this.running && !(await within(timeoutMs, this.running, ignore))) this.producer.sever();
    this.rejectWaiting();
    await within(timeoutMs, this.producer.disconnect(), ignore);
    this.producer.sever();
  }

  private hurry(): void {
    clearTimeout(this.linger);
    this.linger = undefined;
    if (this.waiting.length === 0) return;
    this.hurries = true;
    this.running ??= this.run();
  }

  private hurryLater(): void {
    this.linger ??= setTimeout(() => this.hurry(), this.settings.lingerMs);
  }

  /** Never rejects: whatever fails is repeated or told to those who wait. */
  private async run(): Promise<void> {
    while (this.hurries && this.waiting.length > 0) {
      const batch = this.waiting.slice(0, this.lengthOfNextSend());
      this.hurries = batch.length < this.waiting.length;
      await this.deliver(batch);
      this.waiting.splice(0, batch.length);
    }
    this.running = undefined;
    this.hurries = false;
    if (this.waiting.length > 0) this.hurryLater();
  }

  private lengthOfNextSend(): number {
    let bytes = 0;
    for (const [index, { bytes: more }] of this.waiting.entries()) {
      bytes += more;
      if (index === MAX_MESSAGES || (index > 0 && bytes > MAX_BYTES)) return index;
    }
    return this.waiting.length;
  }

  private async deliver(batch: readonly Waiting[]): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await this.sendOnce(batch);
        for (const { resolve } of batch) resolve();
        return;
      } catch (error) {
        if (isMessageFault(error)) return this.refuse(batch, error);
        if (this.closing.signal.aborted) return this.rejectWaiting();
        if (attempt % REPORT_EVERY === 0)
          this.logger.warn(`Sending to '${this.topic}' fails and is repeated`, {
            error,
            attempt,
            waiting: this.pending,
          });
        await pause(backoffMs(this.settings.backoff ?? BACKOFF, attempt, this.settings.random()), this.closing.signal);
      }
    }
  }

  private async sendOnce(batch: readonly Waiting[]): Promise<void> {
    if (!this.connected) await this.connect();
    await this.producer.sendBatch({
      acks: -1,
      timeout: this.settings.timeoutMs,
      topicMessages: [{ topic: this.topic, messages: batch.map(({ message }) => ({ ...message })) }],
    });
  }

  /** Finds the messages that the broker refuses, so that only those are rejected. */
  private async refuse(batch: readonly Waiting[], cause: unknown): Promise<void> {
    const [only] = batch;
    if (batch.length > 1) {
      const middle = Math.ceil(batch.length / 2);
      await this.deliver(batch.slice(0, middle));
      await this.deliver(batch.slice(middle));
    } else if (only) {
      const why = isTooLarge(cause) ? 'it is larger than the topic allows' : 'it fails the validation of the broker';
      only.reject(
        new JobMalformedError(`Kafka refuses a message of ${only.bytes} bytes to '${this.topic}': ${why}.`, { cause }),
      );
    }
  }

  private rejectWaiting(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const { reject } of waiting) reject(this.closedError());
  }

  private closedError(): IllegalStateError {
    return new IllegalStateError(
      `The job queue is closed, so the message to '${this.topic}' is not known to be durable. Send it again when the application runs.`,
    );
  }
}

function sizeOf({ key, value, headers }: OutgoingMessage): number {
  const parts: (string | Buffer | null)[] = [key, value, ...Object.entries(headers ?? {}).flat()];
  return parts.reduce<number>(
    (sum, part) => sum + (part === null ? 0 : Buffer.byteLength(part)),
    MESSAGE_OVERHEAD_BYTES,
  );
}
