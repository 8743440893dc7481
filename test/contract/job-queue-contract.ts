import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJob, type Job } from '../../src/core/envelope.js';
import { IllegalStateError } from '../../src/core/errors.js';
import {
  jobOf,
  newRunId,
  nodeOf,
  startWorker,
  TestHandler,
  type JobQueueBench,
  type OpenJobQueue,
} from './job-queue-bench.js';

export type { JobQueueBench, OpenJobQueue } from './job-queue-bench.js';

const TIMEOUT_MS = 60_000;

/** What every JobQueue must do. `open` is called before each test and answers a bench with a topic of its own. */
export function jobQueueContract(name: string, open: OpenJobQueue): void {
  describe(`JobQueue contract: ${name}`, () => {
    let bench: JobQueueBench;
    beforeEach(async () => {
      bench = await open();
    }, TIMEOUT_MS);
    afterEach(() => bench.close(), TIMEOUT_MS);
    const test = (behaviour: string, run: () => Promise<void>) => it(behaviour, run, TIMEOUT_MS);

    describe('publishing', () => {
      test('delivers a job as it was published, under its run as key', async () => {
        const { queue, handler } = await startWorker(bench);
        const job: Job = { runId: newRunId(), blueprintId: 'blau pause', nodeId: 'Knoten ✓', turn: 'a:b#1' };
        await queue.publish(job);
        await handler.until((h) => h.seen.length > 0);
        const [message] = handler.seen;
        expect(decodeJob(message?.value ?? null)).toEqual(job);
        expect(message?.key?.toString()).toBe(job.runId);
        expect(message?.headers).toEqual(expect.any(Object));
      });

      test('keeps the jobs that were published before anyone consumed, even when the publisher is gone', async () => {
        const publisher = await bench.queue();
        const jobs = Array.from({ length: 60 }, (_, i) => jobOf(newRunId(), `n${i}`));
        await Promise.all(jobs.map((job) => publisher.publish(job)));
        await publisher.close();
        const { handler } = await startWorker(bench);
        await handler.hasSeen(...jobs.map((job) => job.nodeId));
      });

      test('keeps the jobs of one run in one partition', async () => {
        const { queue, handler } = await startWorker(bench);
        const runId = newRunId();
        for (let i = 0; i < 10; i++) await queue.publish(jobOf(runId, `n${i}`));
        await handler.hasSeen('n9', 'n0');
        expect(new Set(handler.seen.map((message) => message.partition)).size).toBe(1);
        expect(handler.nodes).toEqual(Array.from({ length: 10 }, (_, i) => `n${i}`));
      });

      test('delivers a job under another key if it is given one', async () => {
        const { queue, handler } = await startWorker(bench);
        const job = jobOf(newRunId(), 'a');
        await queue.publish(job, 'another key');
        await handler.hasSeen('a');
        expect(handler.seen[0]?.key?.toString()).toBe('another key');
        expect(decodeJob(handler.seen[0]?.value ?? null)).toEqual(job);
      });

      test('refuses to publish once it is closed', async () => {
        const queue = await bench.queue();
        await queue.close();
        await queue.close();
        await expect(queue.publish(jobOf(newRunId(), 'a'))).rejects.toBeInstanceOf(IllegalStateError);
      });
    });

    describe('delivering', () => {
      test('hands over messages that are no job as they are', async () => {
        const key = newRunId();
        await bench.send(key, Buffer.from('no json'));
        await bench.send(key, null);
        await bench.send(key, Buffer.from([0, 255, 1]));
        const seen: (Buffer | null)[] = [];
        const done = new Promise<void>((resolve) => {
          const handler = {
            admit: () => Promise.resolve(),
            handle: async (message: { value: Buffer | null }) => {
              seen.push(message.value);
              if (seen.length === 3) resolve();
            },
          };
          void bench.queue().then((queue) => queue.consume(handler));
        });
        await done;
        expect(seen).toEqual([Buffer.from('no json'), null, Buffer.from([0, 255, 1])]);
      });

      test('lets a message that is never done block no other of its partition', async () => {
        const { queue, handler } = await startWorker(bench, (node) => node === 'stuck');
        const runId = newRunId();
        const nodes = ['stuck', ...Array.from({ length: 20 }, (_, i) => `n${i}`)];
        for (const node of nodes) await queue.publish(jobOf(runId, node));
        await handler.hasSeen(...nodes);
      });

      test('holds messages back while the handler has no room', async () => {
        const { queue, handler } = await startWorker(bench);
        const runId = newRunId();
        handler.limit(2);
        for (let i = 0; i < 6; i++) await queue.publish(jobOf(runId, `n${i}`));
        await handler.until((h) => h.seen.length === 2 && h.admissions >= 3);
        handler.limit(1);
        await handler.until((h) => h.seen.length === 3 && h.admissions >= 4);
        expect(handler.seen).toHaveLength(3);
        handler.limit(100);
        await handler.hasSeen('n5');
      });

      test('shares the partitions among the consumers of the group', async () => {
        const one = await startWorker(bench);
        const other = await startWorker(bench);
        for (let i = 0; one.handler.seen.length === 0 || other.handler.seen.length === 0; i++) {
          await one.queue.publish(jobOf(newRunId(), `n${i}`));
          const seen = () => [...one.handler.nodes, ...other.handler.nodes];
          await Promise.race([one.handler, other.handler].map((h) => h.until(() => seen().includes(`n${i}`))));
        }
        expect(one.handler.seen.length).toBeGreaterThan(0);
        expect(other.handler.seen.length).toBeGreaterThan(0);
      });

      test('gives the partitions of a consumer that leaves to those that stay', async () => {
        const one = await startWorker(bench);
        const other = await startWorker(bench);
        await one.consumer.stop();
        const jobs = Array.from({ length: 20 }, (_, i) => jobOf(newRunId(), `n${i}`));
        await Promise.all(jobs.map((job) => other.queue.publish(job)));
        await other.handler.hasSeen(...jobs.map((job) => job.nodeId));
        expect(one.handler.seen).toEqual([]);
      });
    });

    describe('delivering again', () => {
      test('does not deliver what is done to the next consumer', async () => {
        const first = await startWorker(bench);
        const runId = newRunId();
        for (const node of ['a', 'b', 'c']) await first.queue.publish(jobOf(runId, node));
        await first.handler.hasDone('a', 'b', 'c');
        await first.consumer.stop();
        await first.queue.publish(jobOf(runId, 'later'));
        const next = await startWorker(bench);
        await next.handler.hasSeen('later');
        expect(next.handler.nodes).toEqual(['later']);
      });

      test('delivers what is not done to another consumer, though later messages are done', async () => {
        const first = await startWorker(bench, (node) => node === 'a');
        const runId = newRunId();
        for (const node of ['a', 'b', 'c']) await first.queue.publish(jobOf(runId, node));
        await first.handler.hasSeen('a');
        await first.handler.hasDone('b', 'c');
        await first.consumer.stop();
        const next = await startWorker(bench);
        await next.handler.hasDone('a');
        await first.queue.publish(jobOf(runId, 'later'));
        await next.handler.hasDone('later');
        await next.consumer.stop();
        await first.queue.publish(jobOf(runId, 'last'));
        const last = await startWorker(bench);
        await last.handler.hasSeen('last');
        expect(last.handler.nodes).toEqual(['last']);
      });

      test('does not take a message for done that another one overtook', async () => {
        const first = await startWorker(bench, (node) => node === 'a' || node === 'b');
        const runId = newRunId();
        for (const node of ['a', 'b', 'c']) await first.queue.publish(jobOf(runId, node));
        await first.handler.hasSeen('a', 'b', 'c');
        first.handler.finish('b');
        await first.handler.hasDone('b', 'c');
        await first.consumer.stop();
        first.handler.finish('a'); // too late: the partition may be another's by now
        const next = await startWorker(bench);
        await next.handler.hasSeen('a');
      });

      test('delivers a message again whose handler gave up', async () => {
        const first = await startWorker(bench, (node) => node === 'a');
        const runId = newRunId();
        for (const node of ['a', 'b']) await first.queue.publish(jobOf(runId, node));
        await first.handler.hasSeen('a', 'b');
        first.handler.fail('a');
        await first.consumer.stop();
        const next = await startWorker(bench);
        await next.handler.hasSeen('a');
      });

      test('delivers the unfinished work of a consumer that leaves to one that was there before', async () => {
        const one = await startWorker(bench, () => true);
        const jobs = Array.from({ length: 12 }, (_, i) => jobOf(newRunId(), `n${i}`));
        await Promise.all(jobs.map((job) => one.queue.publish(job)));
        await one.handler.hasSeen(...jobs.map((job) => job.nodeId));
        const other = await startWorker(bench);
        await one.queue.close();
        expect(one.consumer.state).toBe('stopped');
        await other.handler.hasSeen(...jobs.map((job) => job.nodeId));
      });
    });

    describe('a consumer', () => {
      test('that is paused takes nothing, and what it was handling counts when it is done', async () => {
        const first = await startWorker(bench, (node) => node === 'a');
        const runId = newRunId();
        await first.queue.publish(jobOf(runId, 'a'));
        await first.handler.hasSeen('a');
        await first.consumer.pause();
        await first.consumer.pause();
        await first.queue.publish(jobOf(runId, 'b'));
        first.handler.finish('a');
        await first.handler.hasDone('a');
        await first.consumer.stop();
        const next = await startWorker(bench);
        await next.handler.hasSeen('b');
        expect(next.handler.nodes).toEqual(['b']);
        expect(first.handler.nodes).toEqual(['a']);
      });

      test('tells its state, and may be stopped twice', async () => {
        const { queue, handler, consumer } = await startWorker(bench);
        await queue.publish(jobOf(newRunId(), 'a'));
        await handler.hasSeen('a');
        expect(consumer.state).toBe('consuming');
        await Promise.all([consumer.stop(), consumer.stop()]);
        expect(consumer.state).toBe('stopped');
      });

      test('can be stopped while its handler is full, and hands nothing over afterwards', async () => {
        const first = await startWorker(bench);
        const runId = newRunId();
        first.handler.limit(1);
        for (const node of ['a', 'b', 'c']) await first.queue.publish(jobOf(runId, node));
        await first.handler.until((h) => h.seen.length === 1 && h.admissions >= 2);
        await first.consumer.stop();
        first.handler.limit(100);
        const next = await startWorker(bench);
        await next.handler.hasSeen('b', 'c');
        expect(first.handler.nodes).toEqual(['a']);
      });

      test('of a queue that is closed has stopped', async () => {
        const { queue, consumer } = await startWorker(bench);
        await queue.close();
        expect(consumer.state).toBe('stopped');
        await expect(queue.consume(new TestHandler())).rejects.toBeInstanceOf(IllegalStateError);
      });
    });

    test('parks a message that can never succeed, with its bytes and the reason', async () => {
      const { queue, handler } = await startWorker(bench);
      const bytes = JSON.stringify({ ...jobOf(newRunId(), 'a'), extra: 'ä' });
      await bench.send('some key', Buffer.from(bytes));
      await handler.hasSeen('a');
      const [message] = handler.seen;
      if (!message) throw new Error('nothing was delivered');
      await queue.publishDead(message, { code: 'FLOW_JOB_MALFORMED', message: 'It is no job: ✗' });
      await queue.publishDead({ ...message, key: null, value: null }, { code: 'FLOW_X', message: 'Nothing in it.' });
      const letters = await bench.deadLetters(2);
      const full = letters.find((letter) => letter.message.value !== null);
      expect(full?.message.value?.toString()).toBe(bytes);
      expect(full?.message.key?.toString()).toBe('some key');
      expect(full?.reason).toEqual({ code: 'FLOW_JOB_MALFORMED', message: 'It is no job: ✗' });
      expect(letters.find((letter) => letter !== full)?.reason.code).toBe('FLOW_X');
      expect(nodeOf(message)).toBe('a');
    });
  });
}
