import { backoffMs, type Backoff } from '../../core/backoff.js';
import type { Clock } from '../../ports/clock.js';
import type { ConsumerState, JobConsumer } from '../../ports/job-queue.js';
import type { Logger } from '../../ports/logger.js';
import { pause } from './kafka-deadline.js';
import type { ConsumerEvents, KafkaJobConsumer } from './kafka-job-consumer.js';

const BACKOFF: Backoff = { firstMs: 200, maxMs: 5000 };
/** A consumer that lived as long was well: the next restart is quick again. */
const WELL_AFTER_MS = 30_000;
/** A consumer that is replaced has nothing to say any more; it is not waited for longer than this. */
const REPLACE_MS = 2000;

export interface SupervisorSettings {
  /** So long without a sign of life means that the consumer is stuck. */
  readonly stalledAfterMs: number;
  readonly stopTimeoutMs: number;
  readonly random: () => number;
  readonly backoff?: Backoff;
}

/**
 * Keeps a consumer alive: kafkajs ends one for good on many errors, and sometimes falls silent without any. Then a new
 * one is made, after a pause that grows.
 */
export class KafkaSupervisor implements JobConsumer {
  private current: KafkaJobConsumer | undefined;
  private currentState: ConsumerState = 'stopped';
  private wanted: 'running' | 'paused' | 'stopped' = 'running';
  private replacing: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private cancelWatch: (() => void) | undefined;
  private readonly ending = new AbortController();
  private attempts = 0;
  private joinedAt: number | undefined;
  private restartCount = 0;

  constructor(
    private readonly make: (events: ConsumerEvents) => KafkaJobConsumer,
    private readonly settings: SupervisorSettings,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  get state(): ConsumerState {
    return this.currentState;
  }

  /** How often a consumer had to be replaced. */
  get restarts(): number {
    return this.restartCount;
  }

  /** Resolves when the first consumer has joined its group, or has failed to: then others follow. */
  async start(): Promise<void> {
    this.watch();
    await this.launch('starting');
  }

  async pause(): Promise<void> {
    if (this.wanted === 'running') this.wanted = 'paused';
    this.current?.pause();
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    this.wanted = 'stopped';
    this.ending.abort();
    this.cancelWatch?.();
    const { current } = this;
    this.current = undefined;
    await Promise.all([current?.stop(this.settings.stopTimeoutMs), this.replacing]);
    this.currentState = 'stopped';
  }

  private async launch(state: 'starting' | 'restarting'): Promise<void> {
    this.currentState = state;
    this.joinedAt = undefined;
    const consumer: KafkaJobConsumer = this.make({
      joined: (partitions) => this.ifCurrent(consumer, () => this.joined(partitions)),
      rebalancing: () => this.ifCurrent(consumer, () => (this.currentState = 'rebalancing')),
      crashed: (error) => this.replace(consumer, 'The Kafka consumer crashed', error),
    });
    this.current = consumer;
    try {
      await consumer.start();
    } catch (error) {
      this.replace(consumer, 'The Kafka consumer could not start', error);
    }
  }

  private ifCurrent(consumer: KafkaJobConsumer, act: () => void): void {
    if (this.current === consumer) act();
  }

  private joined(partitions: readonly number[]): void {
    this.currentState = 'consuming';
    this.joinedAt ??= this.clock.now();
    this.logger.debug('The Kafka consumer has joined its group', { partitions });
  }

  private replace(consumer: KafkaJobConsumer, what: string, error?: unknown): void {
    if (this.current !== consumer) return;
    this.current = undefined;
    this.currentState = 'restarting';
    this.restartCount++;
    if (this.joinedAt !== undefined && this.clock.now() - this.joinedAt >= WELL_AFTER_MS) this.attempts = 0;
    const waitMs = backoffMs(this.settings.backoff ?? BACKOFF, this.attempts++, this.settings.random());
    this.logger.warn(`${what}; a new one is made in ${waitMs} ms`, { error, restarts: this.restartCount });
    this.replacing = this.launchAfter(consumer, waitMs);
  }

  private async launchAfter(previous: KafkaJobConsumer, waitMs: number): Promise<void> {
    await previous.stop(REPLACE_MS);
    await pause(waitMs, this.ending.signal);
    // a paused worker is about to stop: a new member would only keep partitions from others
    if (this.wanted === 'running') void this.launch('restarting');
    else this.currentState = 'stopped';
  }

  private watch(): void {
    this.cancelWatch = this.clock.after(this.settings.stalledAfterMs / 6, () => {
      const { current } = this;
      if (current?.pulse.isStalled(this.settings.stalledAfterMs)) {
        this.replace(current, `The Kafka consumer gave no sign of life for ${this.settings.stalledAfterMs} ms`);
      }
      this.watch();
    });
  }
}
