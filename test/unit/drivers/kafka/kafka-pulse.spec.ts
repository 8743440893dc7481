import { describe, expect, it } from '@jest/globals';
import type { EachBatchPayload } from 'kafkajs';
import { KafkaPulse } from '../../../../src/drivers/kafka/kafka-pulse.js';
import { ManualClock } from '../../../support/manual-clock.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

function aPulse() {
  const clock = new ManualClock();
  const lost: unknown[] = [];
  const pulse = new KafkaPulse(clock, 1000, (why) => lost.push(why));
  return { clock, pulse, lost };
}

function aBatch(heartbeat: () => Promise<void>, isRunning = true): EachBatchPayload {
  return { heartbeat, isRunning: () => isRunning, isStale: () => false } as unknown as EachBatchPayload;
}

describe('the pulse of a consumer', () => {
  it('beats while batches are handed over, and only then', async () => {
    const { clock, pulse } = aPulse();
    let beats = 0;
    const batch = aBatch(async () => void beats++);
    pulse.batchStarted(batch);
    pulse.batchStarted(batch);
    for (let i = 0; i < 3; i++) {
      clock.advance(1000);
      await settle();
    }
    expect(beats).toBe(3);
    pulse.batchEnded();
    clock.advance(1000);
    await settle();
    expect(beats).toBe(4);
    pulse.batchEnded();
    clock.advance(10_000);
    await settle();
    expect(beats).toBe(4);
  });

  it('beats once an interval although a batch ends and another begins during a heartbeat', async () => {
    const { clock, pulse } = aPulse();
    let beats = 0;
    let answer: () => void = () => undefined;
    const batch = aBatch(() => new Promise((resolve) => ((answer = resolve), beats++)));
    pulse.batchStarted(batch);
    clock.advance(1000);
    pulse.batchEnded();
    pulse.batchStarted(batch);
    answer();
    await settle();
    clock.advance(1000);
    await settle();
    expect(beats).toBe(2);
    answer();
    await settle();
    clock.advance(1000);
    expect(beats).toBe(3);
  });

  it('says that the batches have to be left when a heartbeat fails or the consumer ends', async () => {
    const failing = aPulse();
    failing.pulse.batchStarted(aBatch(() => Promise.reject(new Error('REBALANCE_IN_PROGRESS'))));
    failing.clock.advance(1000);
    await settle();
    expect(failing.lost).toHaveLength(1);
    const ending = aPulse();
    ending.pulse.batchStarted(aBatch(() => Promise.resolve(), false));
    ending.clock.advance(1000);
    expect(ending.lost).toHaveLength(1);
  });

  it('is stalled when nothing is heard, or one broker does not answer', () => {
    const { clock, pulse } = aPulse();
    expect(pulse.isStalled(5000)).toBe(false);
    clock.advance(5000);
    expect(pulse.isStalled(5000)).toBe(true);
    pulse.fetchStarted(1);
    expect(pulse.isStalled(5000)).toBe(false);
    clock.advance(4000);
    pulse.fetchStarted(2);
    clock.advance(1000);
    pulse.fetchEnded(2);
    expect(pulse.isStalled(5000)).toBe(true);
    pulse.fetchEnded(1);
    expect(pulse.isStalled(5000)).toBe(false);
  });

  it('distrusts fetches that were under way at a join until their broker is asked again', () => {
    const { clock, pulse } = aPulse();
    pulse.joined();
    expect(pulse.hasFetchesBeforeJoin).toBe(false);
    pulse.fetchStarted(1);
    pulse.fetchStarted(2);
    pulse.fetchEnded(2);
    pulse.joined();
    expect(pulse.hasFetchesBeforeJoin).toBe(true);
    pulse.fetchEnded(1);
    pulse.fetchStarted(2);
    expect(pulse.hasFetchesBeforeJoin).toBe(true);
    pulse.fetchStarted(1);
    expect(pulse.hasFetchesBeforeJoin).toBe(false);
    clock.advance(1);
  });
});
