import { describe, expect, it } from '@jest/globals';
import { IllegalStateError, JobMalformedError } from '../../../../src/core/errors.js';
import { KafkaSendLane, type LaneProducer } from '../../../../src/drivers/kafka/kafka-send-lane.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

type Batch = Parameters<LaneProducer['sendBatch']>[0];

/** Sends wait until the test answers them. */
class FakeProducer implements LaneProducer {
  readonly sends: { values: string[]; answer: (error?: Error) => void }[] = [];
  inFlight = 0;
  mostInFlight = 0;
  connects = 0;
  severed = false;
  onSend: (values: string[]) => Error | undefined | 'later' = () => undefined;

  async connect(): Promise<void> {
    this.connects++;
  }

  sendBatch: LaneProducer['sendBatch'] = (batch: Batch) => {
    expect(batch.acks).toBe(-1);
    const values = (batch.topicMessages?.[0]?.messages ?? []).map((m) => String(m.value));
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    return new Promise((resolve, reject) => {
      const answer = (error?: Error) => {
        this.inFlight--;
        if (error) reject(error);
        else resolve([]);
      };
      this.sends.push({ values, answer });
      const outcome = this.onSend(values);
      if (outcome !== 'later') setImmediate(() => answer(outcome));
    });
  };

  async disconnect(): Promise<void> {}

  readonly sever = () => {
    this.severed = true;
    for (const { answer } of this.sends.slice(-this.inFlight || this.sends.length)) answer(new Error('severed'));
  };
}

const brokerError = (type: string) =>
  Object.assign(new Error(type), { name: 'KafkaJSNonRetriableError', cause: Object.assign(new Error(type), { type }) });
const message = (value: string) => ({ key: 'run', value });

async function aLane({ lingerMs = 0 } = {}) {
  const producer = new FakeProducer();
  const logger = new RecordingLogger();
  const lane = new KafkaSendLane(
    'jobs',
    producer,
    { timeoutMs: 1000, lingerMs, random: () => 0, backoff: { firstMs: 1, maxMs: 5 } },
    logger,
  );
  await lane.connect();
  return { lane, producer, logger };
}

describe('a lane', () => {
  it('sends the first message at once and what comes meanwhile together, one send at a time', async () => {
    const { lane, producer } = await aLane();
    await Promise.all(['a', 'b', 'c', 'd'].map((value) => lane.send(message(value))));
    expect(producer.sends.map(({ values }) => values)).toEqual([['a'], ['b', 'c', 'd']]);
    expect(producer.mostInFlight).toBe(1);
    expect(lane.pending).toBe(0);
  });

  describe('messages that can wait', () => {
    it('go together once the first of them has waited', async () => {
      const { lane, producer } = await aLane({ lingerMs: 20 });
      const sent = Promise.all(['a', 'b', 'c'].map((value) => lane.send(message(value), true)));
      await new Promise((resolve) => setImmediate(resolve));
      expect(producer.sends).toEqual([]);
      await sent;
      expect(producer.sends.map(({ values }) => values)).toEqual([['a', 'b', 'c']]);
    });

    it('go at once with one that cannot, in their order', async () => {
      const { lane, producer } = await aLane({ lingerMs: 60_000 });
      const waits = lane.send(message('a'), true);
      await lane.send(message('b'));
      await waits;
      expect(producer.sends.map(({ values }) => values)).toEqual([['a', 'b']]);
    });

    it('wait for others also when they came during a send, and not for longer than one that cannot wait', async () => {
      const { lane, producer } = await aLane({ lingerMs: 20 });
      producer.onSend = () => 'later';
      const first = lane.send(message('a'));
      const waits = lane.send(message('b'), true);
      producer.sends[0]?.answer();
      await first;
      await new Promise((resolve) => setImmediate(resolve));
      expect(producer.sends).toHaveLength(1);
      producer.onSend = () => undefined;
      await Promise.all([waits, lane.send(message('c'))]);
      expect(producer.sends.map(({ values }) => values)).toEqual([['a'], ['b', 'c']]);
    });

    it('are sent when they have become many, and when the lane closes', async () => {
      const { lane, producer } = await aLane({ lingerMs: 60_000 });
      await Promise.all(Array.from({ length: 200 }, (_, i) => lane.send(message(String(i)), true)));
      expect(producer.sends.map(({ values }) => values.length)).toEqual([200]);
      const last = lane.send(message('last'), true);
      await lane.close(1000);
      await last;
      expect(producer.sends.map(({ values }) => values.length)).toEqual([200, 1]);
    });
  });

  it('sends at most 500 messages at a time', async () => {
    const { lane, producer } = await aLane();
    await Promise.all(Array.from({ length: 1201 }, (_, i) => lane.send(message(String(i)))));
    expect(producer.sends.map(({ values }) => values.length)).toEqual([1, 500, 500, 200]);
  });

  it('sends at most half a megabyte at a time, but never less than one message', async () => {
    const { lane, producer } = await aLane();
    await Promise.all(
      ['a', ...Array.from({ length: 4 }, () => 'x'.repeat(200_000)), 'y'.repeat(900_000), 'b'].map((value) =>
        lane.send(message(value)),
      ),
    );
    expect(producer.sends.map(({ values }) => values.length)).toEqual([1, 2, 2, 1, 1]);
  });

  it('repeats the same send until it is acknowledged, and nothing overtakes it', async () => {
    const { lane, producer, logger } = await aLane();
    let failures = 6;
    producer.onSend = () => (failures-- > 0 ? new Error('away') : undefined);
    await Promise.all(['a', 'b', 'c'].map((value) => lane.send(message(value))));
    expect(producer.sends.map(({ values }) => values.join(''))).toEqual([
      ...Array.from({ length: 7 }, () => 'a'),
      'bc',
    ]);
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('connects by itself, as often as it takes', async () => {
    const producer = new FakeProducer();
    let failures = 3;
    producer.connect = async () => {
      producer.connects++;
      if (failures-- > 0) throw new Error('refused');
    };
    const lane = new KafkaSendLane(
      'jobs',
      producer,
      { timeoutMs: 1000, lingerMs: 0, random: () => 0, backoff: { firstMs: 1, maxMs: 2 } },
      new RecordingLogger(),
    );
    await lane.send(message('a'));
    await lane.send(message('b'));
    expect(producer.connects).toBe(4);
  });

  it.each(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD'])(
    'rejects only the message that the broker refuses with %s',
    async (type) => {
      const { lane, producer } = await aLane();
      producer.onSend = (values) => (values.includes('bad') ? brokerError(type) : undefined);
      const values = ['first', ...Array.from({ length: 99 }, (_, i) => (i === 42 ? 'bad' : String(i)))];
      const results = await Promise.allSettled(values.map((value) => lane.send(message(value))));
      expect(results.flatMap(({ status }, i) => (status === 'rejected' ? [values[i]] : []))).toEqual(['bad']);
      const [rejected] = results.filter((r) => r.status === 'rejected');
      expect(rejected?.reason).toBeInstanceOf(JobMalformedError);
      expect(producer.mostInFlight).toBe(1);
    },
  );

  it('does not reject for other errors that kafkajs would not retry', async () => {
    const { lane, producer } = await aLane();
    let failures = 2;
    producer.onSend = () => (failures-- > 0 ? brokerError('TOPIC_AUTHORIZATION_FAILED') : undefined);
    await lane.send(message('a'));
    expect(producer.sends).toHaveLength(3);
  });
});

describe('closing a lane', () => {
  it('sends what waits', async () => {
    const { lane, producer } = await aLane();
    const sends = Promise.all(Array.from({ length: 1000 }, (_, i) => lane.send(message(String(i)))));
    await lane.close(1000);
    await sends;
    expect(producer.sends.flatMap(({ values }) => values)).toHaveLength(1000);
    await expect(lane.send(message('late'))).rejects.toThrow(IllegalStateError);
  });

  it('while sends fail tries once more and rejects all that waits', async () => {
    const { lane, producer } = await aLane();
    producer.onSend = () => new Error('away');
    const sends = Promise.allSettled(Array.from({ length: 1000 }, (_, i) => lane.send(message(String(i)))));
    await new Promise((resolve) => setTimeout(resolve, 20)); // a few failures
    const { length } = producer.sends;
    await lane.close(1000);
    for (const result of await sends)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'FLOW_ILLEGAL_STATE' } });
    expect(producer.sends.length - length).toBeLessThanOrEqual(2);
  });

  it('while a send is not answered ends it in time', async () => {
    const { lane, producer } = await aLane();
    producer.onSend = () => 'later';
    const sends = Promise.allSettled([lane.send(message('a')), lane.send(message('b'))]);
    await lane.close(20);
    for (const result of await sends) expect(result.status).toBe('rejected');
    expect(producer.severed).toBe(true);
  });
});
