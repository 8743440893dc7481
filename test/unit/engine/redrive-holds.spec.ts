import { describe, expect, it } from '@jest/globals';
import { MemoryLedger, MemoryLedgerData } from '../../../src/drivers/memory/memory-ledger.js';
import { MemoryRunStore } from '../../../src/drivers/memory/memory-run-store.js';
import type { ClientCalls } from '../../../src/engine/client-calls.js';
import { DeadLetters } from '../../../src/engine/dead-letters.js';
import type { JobQueue, RawMessage } from '../../../src/ports/job-queue.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const LETTER = { partition: 0, offset: '0', key: null, value: Buffer.from('x'), headers: {} } as unknown as RawMessage;

/** Several processes that find one dead letter; `sending` is what becomes of each attempt to send it. */
function fleet(...sending: (() => Promise<void>)[]) {
  let now = 1_700_000_000_000;
  let sent = 0;
  const queue = {
    deadTopic: 'jobs.dead',
    deadBounds: async () => [{ partition: 0, first: 0n, next: 1n }],
    readDead: async () => [LETTER],
    redrive: async () => (sending[sent++] ?? (async () => {}))(),
  } as unknown as JobQueue;
  const clock = { now: () => now, after: () => () => undefined };
  const [store, ledgerData] = [new MemoryRunStore(), new MemoryLedgerData()];
  let calls = 0;
  const process = () =>
    new DeadLetters({
      queue,
      store,
      clock,
      ledger: new MemoryLedger(clock, ledgerData),
      newCallId: () => `call-${calls++}`,
      logger: new RecordingLogger(),
      calls: { run: async (_call: string, _runId: unknown, work: () => Promise<unknown>) => work() } as ClientCalls,
    });
  return { process, sent: () => sent, pass: (ms: number) => (now += ms) };
}

describe('a dead letter that is sent again', () => {
  it('is under way for all calls but one, and then was sent', async () => {
    let arrive = () => {};
    const { process, sent } = fleet(() => new Promise((resolve) => (arrive = resolve)));
    const first = process().redrive('0:0');
    while (sent() === 0) await Promise.resolve();
    expect(await process().redrive('0:0')).toEqual({ redriven: [], skipped: [{ id: '0:0', why: 'under way' }] });
    arrive();
    expect(await first).toEqual({ redriven: ['0:0'], skipped: [] });
    expect(await process().redrive('0:0')).toEqual({ redriven: [], skipped: [{ id: '0:0', why: 'redriven before' }] });
    expect(sent()).toBe(1);
  });

  it('is free at once when sending it failed', async () => {
    const { process, pass } = fleet(() => Promise.reject(new Error('away')));
    await expect(process().redrive('0:0')).rejects.toThrow('away');
    pass(2);
    expect(await process().redrive('0:0')).toEqual({ redriven: ['0:0'], skipped: [] });
  });

  it('is free after a while when its sender was lost', async () => {
    const { process, sent, pass } = fleet(() => new Promise(() => undefined));
    void process().redrive('0:0');
    while (sent() === 0) await Promise.resolve();
    pass(29_000);
    expect((await process().redrive('0:0')).skipped).toEqual([{ id: '0:0', why: 'under way' }]);
    pass(1_000);
    expect((await process().redrive('0:0')).redriven).toEqual(['0:0']);
  });
});
