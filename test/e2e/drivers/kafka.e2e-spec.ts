import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { IllegalStateError, TopicMissingError } from '../../../src/core/errors.js';
import type { RawMessage } from '../../../src/ports/job-queue.js';
import {
  aJob,
  BROKERS,
  eventually,
  Gate,
  KafkaFixture,
  nodeIdOf,
  openSockets,
  TestHandler,
} from '../../support/kafka-fixture.js';

let kafka: KafkaFixture;
beforeEach(async () => {
  kafka = await KafkaFixture.open();
});
afterEach(async () => {
  await kafka.close();
});

describe('topics', () => {
  it('are created with the partitions asked for, and only once when several processes start', async () => {
    const queues = [kafka.queue({ partitions: 3 }), kafka.queue({ partitions: 3 }), kafka.queue({ partitions: 3 })];
    await Promise.all(queues.map((queue) => queue.provision()));
    await Promise.all(queues.map((queue) => queue.provision()));
    const { topics } = await kafka.admin.fetchTopicMetadata({ topics: [kafka.topic, `${kafka.topic}.dead`] });
    expect(Object.fromEntries(topics.map((t) => [t.name, t.partitions.length]))).toEqual({
      [kafka.topic]: 3,
      [`${kafka.topic}.dead`]: 1,
    });
    expect(topics.every((t) => t.partitions.every((p) => p.leader >= 0))).toBe(true);
  });

  it('that are missing are named when they may only be verified', async () => {
    const queue = kafka.queue({ provision: 'verify' });
    await expect(queue.provision()).rejects.toThrow(TopicMissingError);
    await expect(queue.provision()).rejects.toThrow(kafka.topic);
    await kafka.queue({ provision: 'create' }).provision();
    await queue.provision();
  });

  it('carry the settings asked for', async () => {
    await kafka.queue({ topicConfig: { 'retention.ms': '12345678' } }).provision();
    const { resources } = await kafka.admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: kafka.topic, configNames: ['retention.ms'] }],
    });
    expect(resources[0]?.configEntries[0]?.configValue).toBe('12345678');
  });

  it('that the broker refuses are a problem of the options, said at once or when the brokers had time to start', async () => {
    const wrong = kafka.queue({ topicConfig: { 'no.such.setting': '1' } });
    await expect(wrong.provision()).rejects.toThrow(
      /Kafka refuses to create the topics: .*no\.such\.setting|Kafka refuses to create the topics/,
    );
    await expect(wrong.provision()).rejects.toMatchObject({ code: 'FLOW_CONFIGURATION' });
    const few = kafka.queue({ replicationFactor: 99, connectTimeoutMs: 4000 });
    await expect(few.provision()).rejects.toMatchObject({ code: 'FLOW_CONFIGURATION' });
  }, 20_000);

  it('are left alone when provisioning is off', async () => {
    const queue = kafka.queue({ provision: 'off' });
    await queue.provision();
    expect(await kafka.admin.listTopics()).not.toContain(kafka.topic);
  });
});

describe('a message', () => {
  it('arrives as it was sent, with its headers as text', async () => {
    const queue = await kafka.readyQueue();
    const handler = new TestHandler();
    await queue.consume(handler);
    await kafka.send({ key: 'k', value: 'v', headers: { traceparent: 'abc', twice: ['1', '2'] } });
    await handler.receives(1);
    expect(handler.received[0]).toMatchObject({
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      offset: '0',
      headers: { traceparent: 'abc', twice: '2' },
    });
  });

  it('that was sent before the group existed is not lost', async () => {
    const queue = await kafka.readyQueue();
    await Promise.all(Array.from({ length: 100 }, (_, i) => queue.publish(aJob(i))));
    const handler = new TestHandler();
    await queue.consume(handler);
    await handler.receives(100);
    expect(new Set(handler.nodeIds).size).toBe(100);
  });

  it('of a run goes to the partition of its run, unless it has another key', async () => {
    const queue = await kafka.readyQueue();
    const handler = new TestHandler();
    await queue.consume(handler);
    for (let i = 0; i < 10; i++) await queue.publish(aJob(i, 'one-run'));
    for (let i = 10; i < 40; i++) await queue.publish(aJob(i, 'one-run'), `other-${i}`);
    await handler.receives(40);
    const partitions = (messages: RawMessage[]) => new Set(messages.map((m) => m.partition)).size;
    expect(partitions(handler.received.filter((m) => m.key?.toString() === 'one-run'))).toBe(1);
    expect(partitions(handler.received)).toBe(4);
  });

  it('that is no job reaches the handler like any other, which can park it, and those behind it go on', async () => {
    const queue = await kafka.readyQueue();
    const handler = new TestHandler();
    handler.respond = async (message) => {
      if (message.value?.toString() === '{ poison')
        await queue.publishDead(message, { code: 'FLOW_JOB_MALFORMED', message: 'no JSON' });
    };
    await kafka.send(
      { key: 'run', value: '{ poison', headers: { traceparent: 'abc' } },
      { key: 'run', value: 'next' },
      { key: 'run', value: null },
    );
    await queue.consume(handler);
    await handler.receives(3);
    const [dead] = await kafka.read(`${kafka.topic}.dead`, 1);
    const headers = Object.fromEntries(
      Object.entries(dead?.headers ?? {}).map(([name, value]) => [name, value?.toString()]),
    );
    expect(dead?.value?.toString()).toBe('{ poison');
    expect(dead?.key?.toString()).toBe('run');
    expect(headers).toEqual({
      traceparent: 'abc',
      'x-original-topic': kafka.topic,
      'x-original-partition': String(handler.received[0]?.partition),
      'x-original-offset': '0',
      'x-reason-code': 'FLOW_JOB_MALFORMED',
      'x-reason-message': 'no JSON',
      'x-failed-at': expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown as string,
    });
    await eventually(async () => (await kafka.committedTotal()) === 3);
  });

  it('that is too large to be parked with its reason is parked in part', async () => {
    const queue = await kafka.readyQueue({ topicConfig: { 'max.message.bytes': '100000' } });
    const message = {
      value: Buffer.alloc(99_990, 'x'),
      key: Buffer.from('run'),
      headers: {},
      partition: 2,
      offset: '7',
    };
    await queue.publishDead(message, { code: 'X', message: 'too large' });
    const [dead] = await kafka.read(`${kafka.topic}.dead`, 1);
    expect(dead?.value?.length).toBe(65_536);
    expect(dead?.headers?.['x-original-bytes']?.toString()).toBe('99990');
  });

  it('that the broker refuses is rejected alone; those that were sent with it are not', async () => {
    const queue = await kafka.readyQueue({ topicConfig: { 'max.message.bytes': '10000' } });
    const huge = { ...aJob(0), nodeId: 'x'.repeat(20_000) };
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => queue.publish(i === 30 ? huge : aJob(i))),
    );
    expect(results.map((r) => r.status).filter((s) => s === 'rejected')).toHaveLength(1);
    expect(results[30]).toMatchObject({ status: 'rejected', reason: { code: 'FLOW_JOB_MALFORMED' } });
    const handler = new TestHandler();
    await queue.consume(handler);
    await handler.until(() => new Set(handler.nodeIds).size === 49);
  });
});

describe('an offset', () => {
  it('is committed only when every message below it is done, in whatever order they end', async () => {
    const queue = await kafka.readyQueue({ partitions: 1 });
    const handler = new TestHandler();
    const gates = Array.from({ length: 5 }, () => new Gate());
    handler.respond = (message) => gates[Number(message.offset)]?.opened;
    for (let i = 0; i < 5; i++) await queue.publish(aJob(i));
    await queue.consume(handler);
    await handler.receives(5);
    gates[4]?.open();
    gates[0]?.open();
    await eventually(async () => (await kafka.committed())[0] === 1);
    gates[2]?.open();
    gates[3]?.open();
    await queue.publish(aJob(5));
    await handler.receives(6);
    expect(await kafka.committed()).toEqual([1]);
    gates[1]?.open();
    await eventually(async () => (await kafka.committed())[0] === 6);
  });

  it('of a message whose handler rejects stays, and the message is delivered to the next consumer', async () => {
    const queue = await kafka.readyQueue({ partitions: 1 });
    const first = new TestHandler();
    first.respond = (message) => {
      if (message.offset === '1') throw new SyntaxError('Unexpected token');
    };
    for (let i = 0; i < 4; i++) await queue.publish(aJob(i));
    const consumer = await queue.consume(first);
    await first.receives(4);
    await eventually(async () => (await kafka.committed())[0] === 1);
    expect(consumer.state).toBe('consuming');
    await consumer.stop();
    expect(await kafka.committed()).toEqual([1]);
    const second = new TestHandler();
    await queue.consume(second);
    await second.receives(3);
    expect(second.nodeIds).toEqual(['node-1', 'node-2', 'node-3']);
    await eventually(async () => (await kafka.committed())[0] === 4);
  });

  it('is committed for all partitions at once, and not at all while nothing is done', async () => {
    const queue = await kafka.readyQueue();
    const handler = new TestHandler();
    await queue.consume(handler);
    await Promise.all(Array.from({ length: 400 }, (_, i) => queue.publish(aJob(i))));
    await handler.receives(400);
    await eventually(async () => (await kafka.committedTotal()) === 400);
  });
});

describe('a handler without room', () => {
  it('gets no message, keeps its membership for longer than a session, and goes on when it has room', async () => {
    const queue = await kafka.readyQueue({
      partitions: 2,
      consumer: { sessionTimeout: 6000, heartbeatInterval: 1000 },
    });
    const handler = new TestHandler();
    const gate = new Gate();
    handler.room = () => gate.opened;
    for (let i = 0; i < 20; i++) await queue.publish(aJob(i));
    const consumer = await queue.consume(handler);
    const before = await memberIds();
    await new Promise((resolve) => setTimeout(resolve, 8000)); // longer than the session
    expect(handler.received).toHaveLength(0);
    expect(await memberIds()).toEqual(before);
    expect(consumer.state).toBe('consuming');
    gate.open();
    await handler.receives(20);
    expect(handler.nodeIds).toHaveLength(20);
    expect(consumer.restarts).toBe(0);
  }, 20_000);

  it('gets as many messages as it has room for', async () => {
    const queue = await kafka.readyQueue();
    const handler = new TestHandler();
    const open = new Set<() => void>();
    let most = 0;
    let wake: (() => void) | undefined;
    handler.room = async () => {
      while (open.size >= 3) await new Promise<void>((resolve) => (wake = resolve));
    };
    handler.respond = async () => {
      await new Promise<void>((resolve) => {
        open.add(resolve);
        most = Math.max(most, open.size);
      });
    };
    await Promise.all(Array.from({ length: 60 }, (_, i) => queue.publish(aJob(i))));
    await queue.consume(handler);
    while (handler.received.length < 60 || open.size > 0) {
      await eventually(() => open.size > 0);
      const [end] = open;
      if (end) {
        open.delete(end);
        end();
      }
      wake?.();
    }
    expect(most).toBe(3);
    await eventually(async () => (await kafka.committedTotal()) === 60);
  });

  it('does not keep the group from a rebalance', async () => {
    const queue = await kafka.readyQueue({ partitions: 2 });
    const full = new TestHandler();
    const never = new Gate();
    full.room = () => never.opened;
    for (let i = 0; i < 20; i++) await queue.publish(aJob(i));
    await queue.consume(full);
    const other = new TestHandler();
    const started = Date.now();
    await queue.consume(other);
    await other.receives(1);
    expect(Date.now() - started).toBeLessThan(6000);
    never.open();
    await eventually(() => new Set([...full.nodeIds, ...other.nodeIds]).size === 20);
  }, 20_000);

  async function memberIds(): Promise<string[]> {
    const { groups } = await kafka.admin.describeGroups([kafka.groupId]);
    return groups[0]?.members.map((m) => m.memberId) ?? [];
  }
});

describe('the window of open messages', () => {
  it('holds back its partition, and no other, until the lowest is done', async () => {
    const queue = await kafka.readyQueue({ partitions: 1, maxOpenPerPartition: 10 });
    const handler = new TestHandler();
    const gates = new Map<string, Gate>();
    handler.respond = (message) => {
      const gate = new Gate();
      gates.set(message.offset, gate);
      return gate.opened;
    };
    await Promise.all(Array.from({ length: 30 }, (_, i) => queue.publish(aJob(i))));
    await queue.consume(handler);
    await handler.receives(10);
    gates.get('3')?.open();
    await handler.receives(11);
    await new Promise((resolve) => setTimeout(resolve, 300)); // nothing tells that nothing comes
    expect(handler.received).toHaveLength(11);
    handler.respond = () => undefined;
    for (const gate of gates.values()) gate.open();
    await handler.receives(30);
    await eventually(async () => (await kafka.committed())[0] === 30);
  });
});

describe('a rebalance', () => {
  it('while messages are handled loses none and commits only what is done', async () => {
    const total = 600;
    const queue = await kafka.readyQueue({ partitions: 6 });
    const done = new Set<string>();
    let unfinishedCommit = '';
    const handler = () => {
      const made = new TestHandler();
      made.respond = async (message) => {
        await new Promise((resolve) => setTimeout(resolve, 20 + (Number(message.offset) % 7) * 30));
        done.add(`${message.partition}:${message.offset}`);
      };
      return made;
    };
    const checkCommits = async () => {
      for (const [partition, offset] of (await kafka.committed()).entries()) {
        for (let below = 0; below < offset; below++)
          if (!done.has(`${partition}:${below}`)) unfinishedCommit = `${partition}:${below}`;
      }
    };
    const handlers = [handler(), handler(), handler()] as const;
    const publish = async (from: number, to: number) => {
      for (let i = from; i < to; i += 20) {
        await Promise.all(Array.from({ length: 20 }, (_, j) => queue.publish(aJob(i + j))));
        await checkCommits();
      }
    };
    const first = await queue.consume(handlers[0]);
    await Promise.all([publish(0, 200), handlers[0].receives(20).then(() => queue.consume(handlers[1]))]);
    await Promise.all([publish(200, 400), queue.consume(handlers[2])]);
    await publish(400, total);
    await first.stop();
    await checkCommits();
    await eventually(async () => (await kafka.committedTotal()) === total, 20_000);
    await checkCommits();
    expect(unfinishedCommit).toBe('');
    expect(done.size).toBe(total);
    expect(new Set(handlers.flatMap((h) => h.nodeIds)).size).toBe(total);
    for (const { received } of handlers) expect(received.length).toBeGreaterThan(0);
  }, 60_000);

  it('makes what ends after it count for nothing: the message is delivered again before it is committed', async () => {
    const queue = await kafka.readyQueue({ partitions: 1 });
    const slow = new TestHandler();
    const gate = new Gate();
    slow.respond = () => gate.opened;
    await queue.publish(aJob(0));
    const first = await queue.consume(slow);
    await slow.receives(1);
    const others = [new TestHandler(), new TestHandler()];
    const again = new Gate();
    for (const other of others) other.respond = () => again.opened;
    await Promise.all(others.map((other) => queue.consume(other)));
    // whoever has the partition now gets the message a second time
    await eventually(() => slow.received.length + others.reduce((sum, o) => sum + o.received.length, 0) >= 2);
    if (slow.received.length === 1) {
      gate.open();
      await new Promise((resolve) => setTimeout(resolve, 500)); // two commit intervals
      expect(await kafka.committedTotal()).toBe(0);
    }
    gate.open();
    again.open();
    await eventually(async () => (await kafka.committedTotal()) === 1);
    await first.stop();
  }, 30_000);
});

describe('pausing', () => {
  it('hands over nothing further, while what is open is still committed', async () => {
    const queue = await kafka.readyQueue({ partitions: 1 });
    const handler = new TestHandler();
    const gate = new Gate();
    handler.respond = () => gate.opened;
    const consumer = await queue.consume(handler);
    await Promise.all(Array.from({ length: 5 }, (_, i) => queue.publish(aJob(i))));
    await handler.receives(5);
    await consumer.pause();
    await Promise.all(Array.from({ length: 5 }, (_, i) => queue.publish(aJob(5 + i))));
    gate.open();
    await eventually(async () => (await kafka.committed())[0] === 5);
    expect(handler.received).toHaveLength(5);
    await consumer.stop();
    expect(consumer.state).toBe('stopped');
    const next = new TestHandler();
    await queue.consume(next);
    await next.receives(5);
    expect(next.nodeIds).toEqual(['node-5', 'node-6', 'node-7', 'node-8', 'node-9']);
  });

  it('in the middle of a batch stops within it', async () => {
    const queue = await kafka.readyQueue({ partitions: 1 });
    await Promise.all(Array.from({ length: 500 }, (_, i) => queue.publish(aJob(i))));
    const handler = new TestHandler();
    const paused = new Gate();
    const starting = queue.consume(handler);
    handler.respond = async (message) => {
      if (message.offset !== '99') return;
      await (await starting).pause();
      paused.open();
    };
    await paused.opened;
    const { length } = handler.received;
    await eventually(async () => (await kafka.committed())[0] === length);
    expect(length).toBeLessThan(200);
    expect(handler.received).toHaveLength(length);
  });
});

describe('stopping', () => {
  it('commits what is done since the last commit, leaves the group, and may be asked twice', async () => {
    const queue = await kafka.readyQueue({ commitIntervalMs: 60_000 });
    const handler = new TestHandler();
    const consumer = await queue.consume(handler);
    await Promise.all(Array.from({ length: 50 }, (_, i) => queue.publish(aJob(i))));
    await handler.receives(50);
    await Promise.all([consumer.stop(), consumer.stop()]);
    expect(await kafka.committedTotal()).toBe(50);
    expect(consumer.state).toBe('stopped');
    const { groups } = await kafka.admin.describeGroups([kafka.groupId]);
    expect(groups[0]?.members).toHaveLength(0);
  });

  it('right after starting leaves nothing behind', async () => {
    const queue = await kafka.readyQueue();
    const sockets = openSockets();
    const starting = queue.consume(new TestHandler());
    await queue.close();
    expect((await starting).state).toBe('stopped');
    await eventually(() => openSockets() < sockets);
    const { groups } = await kafka.admin.describeGroups([kafka.groupId]);
    expect(groups[0]?.members).toHaveLength(0);
  });

  it('leaves no socket and no timer', async () => {
    const before = openSockets();
    const queue = await kafka.readyQueue();
    const handler = new TestHandler();
    await queue.consume(handler);
    await Promise.all(Array.from({ length: 50 }, (_, i) => queue.publish(aJob(i))));
    await handler.receives(50);
    const timers = refedTimers();
    await queue.close();
    await eventually(() => openSockets() === before);
    expect(refedTimers()).toBeLessThanOrEqual(timers);
  });
});

describe('a closed queue', () => {
  it('refuses everything', async () => {
    const queue = await kafka.readyQueue();
    await queue.close();
    await queue.close();
    await expect(queue.publish(aJob(1))).rejects.toThrow(IllegalStateError);
    await expect(queue.consume(new TestHandler())).rejects.toThrow(IllegalStateError);
    await expect(queue.connect()).rejects.toThrow(IllegalStateError);
    await expect(queue.provision()).rejects.toThrow(IllegalStateError);
  });

  it('has sent what waited', async () => {
    const queue = await kafka.readyQueue();
    const publishing = Promise.allSettled(Array.from({ length: 2000 }, (_, i) => queue.publish(aJob(i))));
    await queue.close();
    expect((await publishing).every(({ status }) => status === 'fulfilled')).toBe(true);
  });
});

describe('an instance of the user', () => {
  it('is used as it is', async () => {
    const instance = new Kafka({ brokers: BROKERS, clientId: 'mine', logLevel: logLevel.NOTHING });
    const queue = await kafka.readyQueue({ kafka: instance });
    const handler = new TestHandler();
    await queue.consume(handler);
    await queue.publish(aJob(1));
    await handler.receives(1);
    expect(nodeIdOf(handler.received[0] as RawMessage)).toBe('node-1');
    await eventually(async () => (await kafka.committedTotal()) === 1);
    const { groups } = await kafka.admin.describeGroups([kafka.groupId]);
    expect(groups[0]?.members[0]?.clientId).toBe('mine');
  });
});

function refedTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
