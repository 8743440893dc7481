import { afterEach, describe, expect, it } from '@jest/globals';
import type { WorkflowBlueprint } from 'flowcraft';
import { Fleet, type FleetProcess, type Intercept } from '../../support/fleet.js';

const n = (id: string, uses = 'step', rest: object = {}) => ({ id, uses, ...rest });
const chain = (...ids: string[]) => ids.slice(1).map((target, i) => ({ source: ids[i] as string, target }));
const sleep = (id: string, duration: number | string) => n(id, 'sleep', { params: { duration } });

const naps: WorkflowBlueprint = { id: 'naps', nodes: [n('a'), sleep('s', 300), n('b')], edges: chain('a', 's', 'b') };
const blink: WorkflowBlueprint = { id: 'blink', nodes: [n('a'), sleep('s', 0), n('b')], edges: chain('a', 's', 'b') };
const days: WorkflowBlueprint = { id: 'days', nodes: [n('a'), sleep('s', '3d'), n('b')], edges: chain('a', 's', 'b') };
const twice: WorkflowBlueprint = {
  id: 'twice',
  nodes: [sleep('s', 100), sleep('t', 100), n('b')],
  edges: chain('s', 't', 'b'),
};
const within: WorkflowBlueprint = {
  id: 'within',
  nodes: [n('sub', 'subflow', { params: { blueprintId: 'naps' } }), n('z')],
  edges: chain('sub', 'z'),
};
const loops: WorkflowBlueprint = {
  id: 'loops',
  nodes: [
    sleep('s', 60),
    n('count', 'count'),
    n('again', 'loop-controller', { params: { condition: 'more' } }),
    n('z'),
  ],
  edges: [
    ...chain('s', 'count', 'again'),
    { source: 'again', target: 's', action: 'continue' },
    { source: 'again', target: 'z', action: 'break' },
  ],
};
const nap: WorkflowBlueprint = { id: 'nap', nodes: [n('a'), sleep('s', 300)], edges: chain('a', 's') };
const napping: WorkflowBlueprint = {
  id: 'napping',
  nodes: [n('sub', 'subflow', { params: { blueprintId: 'nap' } })],
  edges: [],
};
const BLUEPRINTS = [naps, nap, napping, blink, days, twice, within, loops];

describe('a node that sleeps', () => {
  let fleet: Fleet;
  let executed: string[];
  const open = () => {
    executed = [];
    let passes = 0;
    fleet = new Fleet(
      {
        step: async ({ input, dependencies }) => {
          executed.push((dependencies['turn'] as { nodeId: string }).nodeId);
          return { output: ((input as number | undefined) ?? 0) + 1 };
        },
        count: async ({ context }) => {
          await context.set('more', ++passes < 3);
          return { output: passes };
        },
      },
      BLUEPRINTS,
    );
    return fleet;
  };
  const worker = async (intercept?: Intercept): Promise<FleetProcess> => {
    const process = await fleet.process(intercept);
    await process.engine.worker.start();
    return process;
  };
  afterEach(() => fleet.end());

  it('wakes when its time has come, once, and hands on its input', async () => {
    open();
    const { engine } = await worker();
    const startedAt = Date.now();
    const { runId } = await engine.client.start('naps', {}, {});
    expect((await engine.client.wait(runId, { until: 'settled' })).status).toBe('awaiting');
    const { awaiting } = await engine.client.describe(runId);
    expect(awaiting).toEqual([{ nodeId: 's', turn: '1', reason: 'timer', wakeUpAt: expect.any(String) }]);
    const outcome = await engine.client.wait(runId, { timeoutMs: 5000 });
    expect(outcome).toMatchObject({ status: 'completed', result: { context: { a: 1, s: 1, b: 2 } } });
    const took = Date.now() - startedAt;
    expect(took).toBeGreaterThanOrEqual(300);
    expect(took).toBeLessThan(1300);
    expect(executed).toEqual(['a', 'b']);
  });

  it.each(['blink', 'twice', 'within', 'loops'])('wakes in %s', async (id) => {
    open();
    const { engine } = await worker();
    const { runId } = await engine.client.start(id, {}, {});
    expect(await engine.client.wait(runId, { timeoutMs: 5000 })).toMatchObject({ status: 'completed' });
  });

  it('sleeps on through the loss of its process and of all of Redis', async () => {
    open();
    const first = await worker();
    const { runId } = await first.engine.client.start('naps', {}, {});
    await first.engine.client.wait(runId, { until: 'settled' });
    await first.leave();
    await first.engine.worker.drain();
    fleet.servers.ledger.clear();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const second = await worker();
    expect(await second.engine.client.wait(runId, { timeoutMs: 5000 })).toMatchObject({
      status: 'completed',
      result: { context: { b: 2 } },
    });
    expect(executed).toEqual(['a', 'b']);
  });

  it('wakes once, whichever of several workers take its timer', async () => {
    open();
    const [one] = await Promise.all([worker(), worker(), worker()]);
    const started = await Promise.all(Array.from({ length: 20 }, () => one.engine.client.start('naps', {}, {})));
    for (const { runId } of started) {
      expect(await one.engine.client.wait(runId, { timeoutMs: 8000 })).toMatchObject({ status: 'completed' });
    }
    expect(executed.filter((id) => id === 'b')).toHaveLength(20);
  });

  it('does not count as waiting any more once it has woken, though the status row says so for a moment', async () => {
    open();
    let woken = () => {};
    const wakes = new Promise<void>((resolve) => (woken = resolve));
    const { engine } = await worker(async (name, args, make) => {
      const [write] = args as [{ status?: string } | undefined];
      if (name !== 'writeStatus' || write?.status !== 'running') return make();
      woken();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return make();
    });
    const { engine: other } = await fleet.process();
    const { runId } = await other.client.start('naps', {}, {});
    await other.client.wait(runId, { until: 'settled' });
    await wakes;
    expect(await other.client.wait(runId, { until: 'settled' })).toMatchObject({ status: 'completed' });
    expect((await engine.client.describe(runId)).status).toBe('completed');
  });

  it.each([
    ['nap', 'as the last thing of its run', 'end'],
    ['napping', 'as the last thing of a subflow', 'end'],
    ['within', 'in a subflow', 'writeStatus'],
  ])('%s: does not count as waiting either when it has woken %s', async (id, _where, slow) => {
    open();
    let isAsleep = false;
    let woken = () => {};
    const wakes = new Promise<void>((resolve) => (woken = resolve));
    await worker(async (name, args, make) => {
      const [write] = args as [{ status?: string } | undefined];
      if (!isAsleep || name !== slow || (slow === 'writeStatus' && write?.status !== 'running')) return make();
      woken();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return make();
    });
    const { engine } = await fleet.process();
    const { runId } = await engine.client.start(id, {}, {});
    await engine.client.wait(runId, { until: 'settled' });
    isAsleep = true;
    await wakes;
    expect(await engine.client.wait(runId, { until: 'settled' })).toMatchObject({ status: 'completed' });
  });

  it('for days costs the index nothing until it is due soon', async () => {
    open();
    const { engine, timerRows } = await worker();
    const { runId } = await engine.client.start('days', {}, {});
    await engine.client.wait(runId, { until: 'settled' });
    expect(fleet.servers.ledger.timers.timers.size).toBe(0);
    const due = Date.now() + 3 * 86_400_000;
    expect(await timerRows.pending(due - 60_000, due + 60_000)).toHaveLength(1);
    const { awaiting } = await engine.client.describe(runId);
    expect(Math.abs(Date.parse(awaiting[0]?.wakeUpAt ?? '') - due)).toBeLessThan(5000);
  });

  it('that is answered before wakes at once, and its timer changes nothing', async () => {
    open();
    const { engine } = await worker();
    const { runId } = await engine.client.start('naps', {}, {});
    await engine.client.wait(runId, { until: 'settled' });
    await engine.client.resume(runId, 's', { output: 10 });
    expect(await engine.client.wait(runId, {})).toMatchObject({ status: 'completed', result: { context: { b: 11 } } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(executed).toEqual(['a', 'b']);
    expect(fleet.servers.ledger.timers.timers.size).toBe(0);
  });
});
