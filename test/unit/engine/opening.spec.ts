import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeContext, NodeRegistry, WorkflowBlueprint } from 'flowcraft';
import type { Job } from '../../../src/core/envelope.js';
import type { SettleRequest } from '../../../src/core/ledger-calls.js';
import { Fleet, losing, type Intercept } from '../../support/fleet.js';

const WIDTH = 12;
const starts = Array.from({ length: WIDTH }, (_, i) => `n${i}`);
const wide: WorkflowBlueprint = {
  id: 'wide',
  nodes: [...starts.map((id) => ({ id, uses: 'step' })), { id: 'z', uses: 'step' }],
  edges: starts.map((source) => ({ source, target: 'z' })),
};
/** `slow` is the one that has the message. */
const uneven: WorkflowBlueprint = {
  id: 'uneven',
  nodes: [
    { id: 'slow', uses: 'slow' },
    { id: 'b', uses: 'step' },
    { id: 'd', uses: 'step' },
  ],
  edges: [{ source: 'b', target: 'd' }],
};
const strange: WorkflowBlueprint = {
  id: 'strange',
  nodes: [
    { id: 'a', uses: 'elsewhere' },
    { id: 'b', uses: 'step' },
  ],
  edges: [],
};

describe('a run that begins with several nodes', () => {
  let fleet: Fleet;
  afterEach(() => fleet.end());

  const executed: string[] = [];
  const published: string[] = [];
  const open = (ms: number, blueprints = [wide], leaseMs = 60_000) => {
    executed.length = published.length = 0;
    const step = async ({ dependencies }: NodeContext) => {
      executed.push((dependencies['turn'] as { nodeId: string }).nodeId);
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      return { output: 1 };
    };
    const registry: NodeRegistry = { step, elsewhere: step, slow: step };
    fleet = new Fleet(registry, blueprints, leaseMs);
    return registry;
  };
  const calls = new Map<string, number>();
  const counting: Intercept = (call, args, make) => {
    calls.set(call, (calls.get(call) ?? 0) + 1);
    if (call === 'publish') published.push((args[0] as Job).nodeId);
    return make();
  };
  const nodeOf = (args: readonly unknown[]) => (args[1] as SettleRequest).settlement.node;
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  it('has one message, and executes each of them once', async () => {
    open(0);
    calls.clear();
    const { engine } = await fleet.process(counting);
    await engine.worker.start();
    const { runId } = await engine.client.start('wide', {}, {});
    expect(await engine.client.wait(runId, { timeoutMs: 5_000 })).toMatchObject({ status: 'completed' });
    expect([...executed].sort()).toEqual([...starts, 'z'].sort());
    expect(published).toEqual(['n0']);
    expect(calls.get('claim')).toBe(1);
    await engine.worker.drain();
  });

  it('sends messages for those that find no room in its worker', async () => {
    open(0);
    const { engine } = await fleet.process(counting, undefined, { concurrency: 1 });
    await engine.worker.start();
    const { runId } = await engine.client.start('wide', {}, {});
    expect(await engine.client.wait(runId, { timeoutMs: 5_000 })).toMatchObject({ status: 'completed' });
    expect([...executed].sort()).toEqual([...starts, 'z'].sort());
    // its own, and those that were not claimed ahead
    expect(published.length).toBeGreaterThan(1);
    expect(published.length).toBeLessThan(WIDTH);
    await engine.worker.drain();
  });

  it.each([
    ['before any of them has settled', 'write', 1],
    ['after the first of them have settled', 'settle', 4],
  ])('goes on elsewhere when its worker is lost %s', async (_when, lastCall, times) => {
    open(0, [wide], 200);
    let made = 0;
    const { intercept, lost } = losing((call) => call === lastCall && ++made === times);
    const first = await fleet.process(intercept);
    await first.engine.worker.start();
    const { runId } = await first.engine.client.start('wide', {}, {});
    await lost;
    await first.leave();
    const second = await fleet.process();
    await second.engine.worker.start();
    expect(await second.engine.client.wait(runId, { timeoutMs: 10_000 })).toMatchObject({ status: 'completed' });
    await second.engine.worker.drain();
  });

  it('loses nothing that another of them led to, if its worker is lost while the first goes on', async () => {
    const registry = open(0, [uneven], 300);
    let begun = 0;
    registry['slow'] = async () => {
      if (begun++ === 0) await new Promise(() => {});
      return { output: 1 };
    };
    const { intercept, lost } = losing((call, args) => call === 'settle' && nodeOf(args) === 'd');
    const first = await fleet.process(intercept);
    await first.engine.worker.start();
    const { runId } = await first.engine.client.start('uneven', {}, {});
    await lost;
    await first.leave();
    const second = await fleet.process();
    await second.engine.worker.start();
    // nobody else looks: the fleet has no reconciler at work
    expect(await second.engine.client.wait(runId, { timeoutMs: 10_000 })).toMatchObject({ status: 'completed' });
    await second.engine.worker.drain();
  });

  it('goes on when the first of them fails in a way that it should not', async () => {
    open(0, [uneven]);
    let failures = 0;
    const failing: Intercept = (call, args, make) => {
      const isFirst = call === 'settle' && nodeOf(args) === 'slow' && ++failures === 1;
      return isFirst ? Promise.reject(new Error('a bug')) : make();
    };
    const { engine } = await fleet.process(failing);
    await engine.worker.start();
    const { runId } = await engine.client.start('uneven', {}, {});
    expect(await engine.client.wait(runId, { timeoutMs: 10_000 })).toMatchObject({ status: 'completed' });
    expect(failures).toBe(2);
    expect([...executed].sort()).toEqual(['b', 'd', 'slow']);
    await engine.worker.drain();
  });

  it.each([
    ['cannot be claimed together', 1],
    ['can neither be claimed nor looked at', 2],
  ])('goes on when the others %s at first', async (_what, most) => {
    open(0);
    let failures = 0;
    const failing: Intercept = (call, _args, make) => {
      const fails = (call === 'claimUnsent' || (call === 'read' && failures === 1)) && failures < most;
      if (!fails) return make();
      failures++;
      return Promise.reject(new Error('a bug'));
    };
    const { engine } = await fleet.process(failing);
    await engine.worker.start();
    const { runId } = await engine.client.start('wide', {}, {});
    expect(await engine.client.wait(runId, { timeoutMs: 10_000 })).toMatchObject({ status: 'completed' });
    expect([...executed].sort()).toEqual([...starts, 'z'].sort());
    expect(failures).toBe(most);
    await engine.worker.drain();
  });

  it('begins the others at once if Redis has lost the run meanwhile', async () => {
    const registry = open(0, [uneven]);
    let [end, hasLost] = [() => {}, false];
    const ended = new Promise<void>((resolve) => (end = resolve));
    registry['slow'] = async () => {
      await ended;
      return { output: 1 };
    };
    const losingRedis: Intercept = (call, _args, make) => {
      if (call === 'claimUnsent' && !hasLost) {
        hasLost = true;
        fleet.servers.ledger.clear();
      }
      return make();
    };
    // the rebuild leaves what is open to executors that may be alive for a lease
    const { engine } = await fleet.process(losingRedis, undefined, { leaseMs: 300 });
    await engine.worker.start();
    const { runId } = await engine.client.start('uneven', {}, {});
    await until(() => executed.includes('d'));
    end();
    expect(await engine.client.wait(runId, { timeoutMs: 10_000 })).toMatchObject({ status: 'completed' });
    await engine.worker.drain();
  });

  it('leaves those to another worker that it has not begun when its own drains', async () => {
    open(60);
    const first = await fleet.process(counting, undefined, { concurrency: 4 });
    await first.engine.worker.start();
    const { runId } = await first.engine.client.start('wide', {}, {});
    await until(() => executed.length > 0);
    const second = await fleet.process();
    await second.engine.worker.start();
    await first.engine.worker.drain();
    expect(await second.engine.client.wait(runId, { timeoutMs: 5_000 })).toMatchObject({ status: 'completed' });
    expect([...executed].sort()).toEqual([...starts, 'z'].sort());
    await second.engine.worker.drain();
  });

  it('begins the others where no worker has the code of the first', async () => {
    const registry = open(0, [strange]);
    const caller = await fleet.process();
    delete registry['elsewhere'];
    const { engine } = await fleet.process(counting, []);
    await engine.worker.start();
    await caller.engine.client.start('strange', {}, {});
    await until(() => executed.length > 0);
    expect(executed).toEqual(['b']);
    expect(published).toContain('b');
    await engine.worker.drain();
  });
});
