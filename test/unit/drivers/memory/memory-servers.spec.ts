import { expect, it } from '@jest/globals';
import { MemoryServers } from '../../../../src/drivers/memory/memory-servers.js';
import { jobOf, TestHandler } from '../../../contract/job-queue-bench.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import { runRecord } from '../../../support/run-records.js';

it('two processes over the same memory servers see each other', async () => {
  const servers = new MemoryServers({ clock: new ManualClock() });
  const [one, other] = [servers.drivers(new RecordingLogger()), servers.drivers(new RecordingLogger())];
  for (const { queue, signals } of [one, other]) {
    await queue.connect();
    await signals.connect();
  }
  const run = runRecord();
  await one.store.accept(run);
  expect(await other.store.run(run.runId)).toEqual(run);
  await one.ledger.beat('w1', 1000);
  expect(await other.ledger.isAlive('w1')).toBe(true);
  const cancelled = new Promise((resolve) => other.signals.onCancel(resolve));
  await one.signals.announceCancel(run.runId);
  expect(await cancelled).toBe(run.runId);
  const handler = new TestHandler();
  await other.queue.consume(handler);
  await one.queue.publish(jobOf(run.runId, 'a'));
  await handler.hasSeen('a');
  for (const { queue, signals } of [one, other]) {
    await queue.close();
    await signals.close();
  }
});
