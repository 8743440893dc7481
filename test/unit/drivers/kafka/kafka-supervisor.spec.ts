import { describe, expect, it } from '@jest/globals';
import type { ConsumerEvents, KafkaJobConsumer } from '../../../../src/drivers/kafka/kafka-job-consumer.js';
import { KafkaSupervisor } from '../../../../src/drivers/kafka/kafka-supervisor.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const settle = () => new Promise((resolve) => setTimeout(resolve, 10)); // restarts wait 1 to 2 ms

class FakeConsumer {
  stalled = false;
  paused = 0;
  stopped = 0;
  readonly pulse = { isStalled: () => this.stalled };

  constructor(
    readonly events: ConsumerEvents,
    private readonly onStart: (consumer: FakeConsumer) => void,
  ) {}

  async start(): Promise<void> {
    this.onStart(this);
  }

  pause(): void {
    this.paused++;
  }

  async stop(): Promise<void> {
    this.stopped++;
  }
}

function aSupervisor(onStart: (consumer: FakeConsumer) => void = (consumer) => consumer.events.joined([0])) {
  const made: FakeConsumer[] = [];
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const make = (events: ConsumerEvents) => {
    const consumer = new FakeConsumer(events, onStart);
    made.push(consumer);
    return consumer as unknown as KafkaJobConsumer;
  };
  const settings = { stalledAfterMs: 6000, stopTimeoutMs: 1000, random: () => 1, backoff: { firstMs: 1, maxMs: 2 } };
  return { supervisor: new KafkaSupervisor(make, settings, clock, logger), made, clock, logger };
}

describe('a supervisor', () => {
  it('makes a new consumer when kafkajs ends one without a restart', async () => {
    const { supervisor, made, logger } = aSupervisor();
    await supervisor.start();
    expect(supervisor.state).toBe('consuming');
    made[0]?.events.crashed(new TypeError('Cannot read properties of undefined'));
    expect(supervisor.state).toBe('restarting');
    await settle();
    expect(made).toHaveLength(2);
    expect(made[0]?.stopped).toBe(1);
    expect(supervisor.state).toBe('consuming');
    expect(supervisor.restarts).toBe(1);
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await supervisor.stop();
  });

  it('makes a new consumer when one gives no sign of life', async () => {
    const { supervisor, made, clock } = aSupervisor();
    await supervisor.start();
    clock.advance(6000);
    expect(made).toHaveLength(1);
    if (made[0]) made[0].stalled = true;
    clock.advance(1000);
    await settle();
    expect(made).toHaveLength(2);
    clock.advance(6000);
    await settle();
    expect(supervisor.restarts).toBe(1);
    await supervisor.stop();
  });

  it('goes on after a start that failed', async () => {
    let failures = 3;
    const { supervisor, made } = aSupervisor((consumer) => {
      if (failures-- > 0) throw new Error('no broker');
      consumer.events.joined([0]);
    });
    await supervisor.start();
    expect(supervisor.state).toBe('restarting');
    while (supervisor.state !== 'consuming') await settle();
    expect(made).toHaveLength(4);
    await supervisor.stop();
  });

  it('says what the consumer does, and hears no consumer that was replaced', async () => {
    const { supervisor, made } = aSupervisor();
    expect(supervisor.state).toBe('stopped');
    await supervisor.start();
    made[0]?.events.rebalancing();
    expect(supervisor.state).toBe('rebalancing');
    made[0]?.events.joined([1]);
    expect(supervisor.state).toBe('consuming');
    made[0]?.events.crashed(new Error('once'));
    made[0]?.events.crashed(new Error('twice'));
    await settle();
    made[0]?.events.rebalancing();
    expect(supervisor.state).toBe('consuming');
    expect(supervisor.restarts).toBe(1);
    await supervisor.stop();
  });

  it('makes no consumer any more once it is paused or stopped', async () => {
    const paused = aSupervisor();
    await paused.supervisor.start();
    await paused.supervisor.pause();
    expect(paused.made[0]?.paused).toBe(1);
    paused.made[0]?.events.crashed(new Error('x'));
    await settle();
    expect(paused.made).toHaveLength(1);
    expect(paused.supervisor.state).toBe('stopped');
    await paused.supervisor.stop();

    const stopped = aSupervisor();
    await stopped.supervisor.start();
    stopped.made[0]?.events.crashed(new Error('x'));
    await stopped.supervisor.stop();
    await settle();
    expect(stopped.made).toHaveLength(1);
    expect(stopped.supervisor.state).toBe('stopped');
  });
});
