import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeContext, NodeRegistry, WorkflowBlueprint } from 'flowcraft';
import { Fleet, losing, type FleetProcess } from '../../support/fleet.js';

const chain: WorkflowBlueprint = {
  id: 'chain',
  nodes: ['a', 'b', 'c'].map((id) => ({ id, uses: 'count' })),
  edges: [
    { source: 'a', target: 'b' },
    { source: 'b', target: 'c' },
  ],
};
const wide: WorkflowBlueprint = {
  id: 'wide',
  nodes: [{ id: 'a', uses: 'step' }, ...Array.from({ length: 30 }, (_, i) => ({ id: `n${i}`, uses: 'slow' }))],
  edges: Array.from({ length: 30 }, (_, i) => ({ source: 'a', target: `n${i}` })),
};
const asks: WorkflowBlueprint = {
  id: 'asks',
  nodes: [
    { id: 'w', uses: 'wait' },
    { id: 'z', uses: 'step' },
  ],
  edges: [{ source: 'w', target: 'z' }],
};
const fails: WorkflowBlueprint = { id: 'fails', nodes: [{ id: 'x', uses: 'fail' }], edges: [] };
const retries: WorkflowBlueprint = {
  id: 'retries',
  nodes: [{ id: 's', uses: 'subflow', params: { blueprintId: 'fails' }, config: { maxRetries: 3 } }],
  edges: [],
};

let executed: string[] = [];
const registry: NodeRegistry = {
  step: async () => ({ output: 1 }),
  slow: async ({ dependencies }: NodeContext) => {
    executed.push((dependencies['turn'] as { nodeId: string }).nodeId);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { output: 1 };
  },
  fail: async () => {
    throw new Error('no');
  },
  count: async ({ context, dependencies }: NodeContext) => {
    executed.push((dependencies['turn'] as { nodeId: string }).nodeId);
    const count = ((await context.get('count')) as number | undefined) ?? 0;
    await context.set('count', count + 1);
    return { output: count + 1 };
  },
};

let calls = 0;
/** Calls overtake each other. */
const someTime = () => new Promise((resolve) => setTimeout(resolve, (calls = (calls * 7 + 3) % 11)));

describe('what a process that is lost leaves behind', () => {
  let fleet: Fleet;
  const open = (nodes: NodeRegistry = registry) => {
    executed = [];
    fleet = new Fleet(nodes, [chain, wide, asks, fails, retries]);
    return fleet;
  };
  afterEach(() => fleet.end());

  /** Sweeps until the run has ended. */
  const outcome = async ({ engine }: FleetProcess, runId: string) => {
    let found = await engine.client.wait(runId, { timeoutMs: 300 });
    for (let sweeps = 0; found.timedOut && sweeps < 15; sweeps++) {
      await engine.reconciler.sweep(0, { alone: false });
      found = await engine.client.wait(runId, { timeoutMs: 300 });
    }
    return found;
  };

  it('thirty turns that find their run gone rebuild it once', async () => {
    const locks: unknown[] = [];
    open();
    const worker = await fleet.process(async (call, args, make) => {
      if (call === 'lock') locks.push(args);
      if (call === 'turns' || call === 'lock') await someTime();
      return make();
    });
    await worker.engine.worker.start();
    const { runId } = await worker.engine.client.start('wide', {}, {});
    while (executed.length < 30) await new Promise((resolve) => setTimeout(resolve, 1));
    fleet.servers.ledger.clear();
    expect(await worker.engine.client.wait(runId, { timeoutMs: 5000 })).toMatchObject({ status: 'completed' });
    expect(executed).toHaveLength(30);
    expect(locks.length).toBeLessThan(5);
    await worker.engine.worker.drain();
  });

  it('an answer whose sender is lost before it sends the jobs is carried out', async () => {
    open();
    const worker = await fleet.process();
    await worker.engine.worker.start();
    const { runId } = await worker.engine.client.start('asks', {}, {});
    await worker.engine.client.wait(runId, { until: 'settled' });
    const { intercept, lost } = losing((call) => call === 'writeStatus');
    const client = await fleet.process(intercept);
    client.engine.client.resume(runId, 'w', { output: 1 }).catch(() => {}); // its caller is gone with it
    await lost;
    expect(await outcome(worker, runId)).toMatchObject({ status: 'completed' });
    await worker.engine.worker.drain();
  });

  it('a subflow that fails at once is tried as often as its node says', async () => {
    open();
    const worker = await fleet.process(async (_call, _args, make) => {
      await someTime();
      return make();
    });
    await worker.engine.worker.start();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { runId } = await worker.engine.client.start('retries', {}, {});
        return worker.engine.client.wait(runId, { timeoutMs: 5000 });
      }),
    );
    expect(outcomes.filter((o) => o.timedOut)).toEqual([]);
    expect(outcomes.map((o) => o.status)).toEqual(outcomes.map(() => 'failed'));
    await worker.engine.worker.drain();
  });

  it('a repeated start after the ledger was lost runs nothing again', async () => {
    open();
    const { intercept, lost } = losing((call, args) => {
      const [write] = args as [{ record?: { nodeId: string } }];
      return call === 'write' && write.record?.nodeId === 'c';
    });
    const worker = await fleet.process(intercept);
    await worker.engine.worker.start();
    await worker.engine.client.start('chain', {}, { runId: 'twice' });
    await lost;
    await worker.leave();
    fleet.servers.ledger.clear();

    const next = await fleet.process();
    await next.engine.worker.start();
    expect(await next.engine.client.start('chain', {}, { runId: 'twice' })).toEqual({ runId: 'twice', existing: true });
    const { result } = await outcome(next, 'twice');
    expect(result?.context).toMatchObject({ count: 3, c: 3 });
    expect(executed.filter((node) => node !== 'c')).toEqual(['a', 'b']);
    await next.engine.worker.drain();
  });

  it('a write that comes late, while another executes the turn, is taken over and not counted twice', async () => {
    let release = () => {};
    const late = new Promise<void>((resolve) => (release = resolve));
    let written = () => {};
    const isWritten = new Promise<void>((resolve) => (written = resolve));
    let inB = 0;
    open({
      ...registry,
      count: async (given: NodeContext) => {
        const { nodeId } = given.dependencies['turn'] as { nodeId: string };
        if (nodeId === 'b' && ++inB === 2) {
          release();
          await isWritten;
        }
        return (registry['count'] as (context: NodeContext) => Promise<{ output: unknown }>)(given);
      },
    });
    let frozen = false;
    const first = await fleet.process(async (call, args, make) => {
      const [write] = args as [{ record?: { nodeId: string } }];
      if (call === 'write' && write.record?.nodeId === 'b') {
        frozen = true;
        await late;
        await make();
        written();
        return new Promise(() => {});
      }
      return frozen ? new Promise(() => {}) : make();
    });
    await first.engine.worker.start();
    const { runId } = await first.engine.client.start('chain', {}, {});
    while (!frozen) await new Promise((resolve) => setTimeout(resolve, 5));
    await first.leave();
    const second = await fleet.process();
    await second.engine.worker.start();
    const { result } = await outcome(second, runId);
    expect(result?.context).toMatchObject({ count: 3, b: 2, c: 3 });
    await second.engine.worker.drain();
  });

  it('the claim of a client that answers is not taken for that of a lost worker', async () => {
    open();
    const worker = await fleet.process();
    await worker.engine.worker.start();
    const { runId } = await worker.engine.client.start('asks', {}, {});
    await worker.engine.client.wait(runId, { until: 'settled' });
    const client = await fleet.process(async (call, _args, make) => {
      if (call !== 'settle') return make();
      // the waiting node's job comes around while its answer is on its way
      await worker.queue.publish({ runId, blueprintId: 'asks', nodeId: 'w', turn: '1' });
      await new Promise((resolve) => setTimeout(resolve, 60));
      return make();
    });
    await client.engine.client.resume(runId, 'w', { output: 7 });
    const { status, result } = await outcome(worker, runId);
    expect([status, result?.context['w']]).toEqual(['completed', 7]);
    expect(worker.logger.lines.filter((line) => /Taking over/.test(line.message))).toEqual([]);
    await worker.engine.worker.drain();
  });
});
