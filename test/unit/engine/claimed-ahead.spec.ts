import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { NodeContext, WorkflowBlueprint } from 'flowcraft';
import { UnavailableError } from '../../../src/core/errors.js';
import type { ActiveRun } from '../../../src/engine/active-run.js';
import { ClaimedAhead, GivenBack } from '../../../src/engine/claimed-ahead.js';
import { Permits } from '../../../src/engine/permits.js';
import { Persistence } from '../../../src/engine/persistence.js';
import type { Ledger } from '../../../src/ports/ledger.js';
import { Fleet, type Intercept } from '../../support/fleet.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('turns that are claimed ahead of a permit', () => {
  let clock: ManualClock;
  let permits: Permits;
  let stopping: AbortController;
  let given: [string, string[]][];
  let giveBack: () => Promise<void>;
  let ahead: ClaimedAhead;

  const [r, other] = ['r', 'other'].map((runId) => ({ runId }) as ActiveRun) as [ActiveRun, ActiveRun];
  const wait = (node: string, run = r) =>
    ahead.permit(run, { node, turn: '1' }, 7).then(
      (isCertain) => (isCertain ? 'certain' : 'doubtful'),
      (error: unknown) => (error instanceof GivenBack ? 'given back' : error),
    );
  const now = async (one: Promise<unknown>) => Promise.race([one, settled().then(() => 'waits')]);

  beforeEach(async () => {
    clock = new ManualClock();
    permits = new Permits(1);
    stopping = new AbortController();
    given = [];
    giveBack = async () => undefined;
    const ledger = {
      giveBack: async (runId: string, claims: { node: string }[]) => {
        given.push([runId, claims.map(({ node }) => node)]);
        await giveBack();
      },
    };
    const random = { random: () => 0, runId: () => '', workerId: () => '', token: () => '' };
    const logger = new RecordingLogger();
    ahead = new ClaimedAhead({
      ledger: ledger as unknown as Ledger,
      permits,
      persistence: new Persistence(clock, random, logger, stopping.signal),
      clock,
      logger,
      most: 5,
      waitMs: 1000,
      stopping: stopping.signal,
    });
    await permits.acquire();
  });

  it('are so many at a time', async () => {
    expect([ahead.reserve(3), ahead.reserve(3), ahead.reserve(3)]).toEqual([3, 2, 0]);
    ahead.spare(1);
    expect(ahead.reserve(3)).toBe(1);
    const one = wait('a');
    permits.release();
    expect(await one).toBe('certain');
    expect(ahead.reserve(3)).toBe(1);
  });

  it('get permits in the order in which they came', async () => {
    const [a, b] = [wait('a'), wait('b')];
    permits.release();
    expect([await now(a), await now(b)]).toEqual(['certain', 'waits']);
    permits.release();
    expect(await b).toBe('certain');
    expect(permits.used).toBe(1);
    permits.release();
    expect(await wait('c')).toBe('certain');
    clock.advance(5000);
    expect([given, clock.pending]).toEqual([[], 0]);
  });

  it('are given back when none came in time, and nothing is claimed ahead for a while', async () => {
    const [a, b, c] = [wait('a'), wait('b'), wait('c', other)];
    clock.advance(500);
    const late = wait('d');
    clock.advance(250);
    expect([await a, await b, await c, await now(late)]).toEqual(['given back', 'given back', 'given back', 'waits']);
    expect(given).toEqual([
      ['r', ['a', 'b']],
      ['other', ['c']],
    ]);
    expect(ahead.reserve(1)).toBe(0);
    permits.release();
    expect(await late).toBe('certain');
    permits.release();
    expect(permits.used).toBe(0);
    clock.advance(8000);
    expect(ahead.reserve(1)).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('are given back at once when the worker stops, those that come then as well', async () => {
    const a = wait('a');
    stopping.abort();
    expect([await a, await wait('b')]).toEqual(['given back', 'given back']);
    expect(given.map(([, nodes]) => nodes)).toEqual([['a'], ['b']]);
    expect([ahead.reserve(1), clock.pending]).toEqual([0, 0]);
  });

  it('go back also when the ledger cannot be told, or does not answer', async () => {
    const a = wait('a');
    giveBack = () => Promise.reject(new UnavailableError('redis', 'giving claims back', new Error('down')));
    stopping.abort();
    expect(await a).toBe('given back');
    giveBack = () => new Promise(() => {});
    const b = wait('b');
    expect(await now(b)).toBe('waits');
    clock.advance(1000);
    expect([await b, clock.pending]).toEqual(['given back', 0]);
  });

  it('are not certain any more when their run has ended', async () => {
    const [a, b] = [wait('a'), wait('b', other)];
    ahead.doubt('r');
    permits.release();
    expect(await a).toBe('doubtful');
    permits.release();
    expect(await b).toBe('certain');
  });

  it('are not certain after half a second in which nothing of their run has settled here', async () => {
    const [a, b] = [wait('a'), wait('b', other)];
    clock.advance(400);
    ahead.sawOpen(r);
    clock.advance(200);
    permits.release();
    permits.release();
    expect([await a, await b]).toEqual(['certain', 'doubtful']);
  });

  it('are not certain where the process has slept', async () => {
    const a = wait('a');
    jest.spyOn(clock, 'now').mockReturnValue(clock.now() + 60_000);
    ahead.sawOpen(r);
    permits.release();
    expect(await a).toBe('doubtful');
  });
});

describe('a fan that is wider than its worker', () => {
  const WIDTH = 30;
  const branches = Array.from({ length: WIDTH }, (_, i) => `n${i}`);
  const fan: WorkflowBlueprint = {
    id: 'fan',
    nodes: [{ id: 'a', uses: 'step' }, ...branches.map((id) => ({ id, uses: 'branch' })), { id: 'z', uses: 'step' }],
    edges: branches.flatMap((id) => [
      { source: 'a', target: id },
      { source: id, target: 'z' },
    ]),
  };
  let fleet: Fleet;
  let executed: string[];
  let calls: Record<string, number>;
  const counting: Intercept = (call, _args, make) => {
    calls[call] = (calls[call] ?? 0) + 1;
    return make();
  };
  const open = (branchMs: number, leaseMs = 60_000) => {
    [executed, calls] = [[], {}];
    const branch = async ({ dependencies }: NodeContext) => {
      executed.push((dependencies['turn'] as { nodeId: string }).nodeId);
      if (branchMs > 0) await new Promise((resolve) => setTimeout(resolve, branchMs));
      return { output: 1 };
    };
    fleet = new Fleet({ step: async () => ({ output: 1 }), branch }, [fan], leaseMs);
  };
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  afterEach(() => fleet.end());

  it('needs one message and one claim', async () => {
    open(0);
    const worker = await fleet.process(counting, undefined, { concurrency: 8 });
    await worker.engine.worker.start();
    const { runId } = await worker.engine.client.start('fan', {}, {});
    expect(await worker.engine.client.wait(runId, { timeoutMs: 5000 })).toMatchObject({ status: 'completed' });
    expect(executed).toHaveLength(WIDTH);
    expect(calls).toMatchObject({ publish: 1, claim: 1, turn: 1 });
    await worker.engine.worker.drain();
  });

  it('executes each branch once, although those that wait too long are given back', async () => {
    open(40, 400);
    const worker = await fleet.process(counting, undefined, { concurrency: 8 });
    await worker.engine.worker.start();
    const { runId } = await worker.engine.client.start('fan', {}, {});
    expect(await worker.engine.client.wait(runId, { timeoutMs: 5000 })).toMatchObject({ status: 'completed' });
    expect(executed.sort()).toEqual([...branches].sort());
    expect(calls['giveBack']).toBeGreaterThan(0);
    await worker.engine.worker.drain();
  });

  it('leaves its waiting branches to another worker when its own drains', async () => {
    open(50);
    const first = await fleet.process(counting, undefined, { concurrency: 8 });
    await first.engine.worker.start();
    const { runId } = await first.engine.client.start('fan', {}, {});
    await until(() => executed.length > 0);
    const second = await fleet.process();
    await second.engine.worker.start();
    await first.engine.worker.drain();
    const written = calls['write'] ?? 0;
    expect(written).toBeLessThan(WIDTH);
    // claims hold for a minute
    expect(await second.engine.client.wait(runId, { timeoutMs: 5000 })).toMatchObject({ status: 'completed' });
    expect(executed.sort()).toEqual([...branches].sort());
    expect(calls['write']).toBe(written);
    await second.engine.worker.drain();
  });

  it('begins no branch after it has been cancelled', async () => {
    open(50);
    const worker = await fleet.process(counting, undefined, { concurrency: 8 });
    await worker.engine.worker.start();
    const { runId } = await worker.engine.client.start('fan', {}, {});
    await until(() => executed.length === 8);
    await worker.engine.client.cancel(runId, undefined);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(executed).toHaveLength(8);
    await worker.engine.worker.drain();
    expect(executed).toHaveLength(8);
  });
});
