import { beforeEach, describe, expect, it } from '@jest/globals';
import { LedgerState } from '../../../src/core/ledger-state.js';
import { planBlueprint } from '../../../src/core/plan.js';
import { MemoryLedger } from '../../../src/drivers/memory/memory-ledger.js';
import type { ActiveRun, ActiveRuns } from '../../../src/engine/active-run.js';
import { Persistence } from '../../../src/engine/persistence.js';
import type { Rebuilder } from '../../../src/engine/rebuilder.js';
import { UnsentTurns } from '../../../src/engine/unsent-turns.js';
import type { JobQueue } from '../../../src/ports/job-queue.js';
import { SHAPES } from '../../support/blueprints.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { runRecord } from '../../support/run-records.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('turns that may have no message', () => {
  const record = runRecord({ runId: 'r' });
  const run: ActiveRun = {
    runId: 'r',
    executionId: 'r',
    record,
    plan: planBlueprint(SHAPES.diamond),
    base: new Map(),
  };
  let clock: ManualClock;
  let ledger: MemoryLedger;
  let sent: string[];
  let acknowledge: (() => void)[];
  let rebuilt: number;
  let unsent: UnsentTurns;

  const install = async (turns: Readonly<Record<string, 'unsent' | 'sent'>>) => {
    const state = new LedgerState();
    state.open([], 'i1', 1);
    for (const [node, is] of Object.entries(turns)) {
      const found = { passes: [], token: 1, worker: 'w', until: 0, claims: 1, round: 0 };
      state.putTurn(node, '1', { state: 'C', ...found, unsent: is === 'unsent' });
      state.add('j', is === 'unsent' ? 1 : 0);
    }
    await ledger.install('r', state);
  };
  const left = async () => (await ledger.read('r')).counts().unsent;

  beforeEach(() => {
    clock = new ManualClock();
    ledger = new MemoryLedger(clock);
    sent = [];
    acknowledge = [];
    rebuilt = 0;
    const queue = {
      publish: ({ nodeId }: { nodeId: string }) => {
        sent.push(nodeId);
        return new Promise<void>((resolve) => acknowledge.push(resolve));
      },
    };
    const random = { random: () => 0, runId: () => '', workerId: () => '', token: () => '' };
    unsent = new UnsentTurns(
      queue as unknown as JobQueue,
      ledger,
      { ofAttempt: async () => run } as unknown as ActiveRuns,
      { rebuild: async () => void rebuilt++ } as unknown as Rebuilder,
      new Persistence(clock, random, new RecordingLogger(), new AbortController().signal),
      clock,
    );
  });

  it('are sent, and noted as sent when their messages are durable', async () => {
    await install({ b: 'unsent', c: 'sent', d: 'unsent' });
    let done = false;
    void unsent.send(run).then(() => (done = true));
    await settled();
    expect([sent, done, await left()]).toEqual([['b', 'd'], false, 2]);
    for (const resolve of acknowledge) resolve();
    await settled();
    expect([done, await left()]).toEqual([true, 0]);
  });

  it('are looked for once more by all together who ask while somebody looks, a moment later', async () => {
    await install({ b: 'unsent' });
    const done: number[] = [];
    const ask = (id: number) => void unsent.send(run).then(() => done.push(id));
    ask(1);
    for (let id = 2; id < 100; id++) ask(id);
    await settled();
    for (const resolve of acknowledge) resolve();
    await settled();
    expect([sent, done]).toEqual([['b'], [1]]);
    clock.advance(300);
    await settled();
    expect(done).toHaveLength(99);
    expect(sent).toEqual(['b']);
    ask(100);
    await settled();
    expect(done).toHaveLength(100);
    expect(clock.pending).toBe(0);
  });

  it('are found by a rebuild where the ledger is gone', async () => {
    await unsent.send(run);
    expect(rebuilt).toBe(1);
  });

  it('are nothing to anybody in a run that has ended', async () => {
    await install({ b: 'unsent' });
    await ledger.end('r', 'completed');
    await unsent.send(run);
    expect(sent).toEqual([]);
  });
});
