import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeContext, WorkflowBlueprint } from 'flowcraft';
import { ArgumentInvalidError, NodeNotAwaitingError } from '../../../src/core/errors.js';
import type { StartOptions } from '../../../src/engine/run-starter.js';
import { Fleet, type FleetProcess } from '../../support/fleet.js';

const n = (id: string, uses: string, rest: object = {}) => ({ id, uses, ...rest });
const edge = (source: string, target: string) => ({ source, target });

const simple: WorkflowBlueprint = { id: 'simple', nodes: [n('a', 'step'), n('b', 'step')], edges: [edge('a', 'b')] };
const hangs: WorkflowBlueprint = {
  id: 'hangs',
  nodes: [n('a', 'step'), n('h1', 'hang'), n('h2', 'hang'), n('w', 'wait'), n('z', 'step')],
  edges: [edge('a', 'h1'), edge('a', 'h2'), edge('a', 'w'), edge('h1', 'z')],
};
const deep: WorkflowBlueprint = {
  id: 'deep',
  nodes: [n('sub', 'subflow', { params: { blueprintId: 'middle' } })],
  edges: [],
};
const middle: WorkflowBlueprint = {
  id: 'middle',
  nodes: [n('sub', 'subflow', { params: { blueprintId: 'hangs' } })],
  edges: [],
};
const breaks: WorkflowBlueprint = {
  id: 'breaks',
  nodes: [n('a', 'step'), n('bad', 'fail'), n('h', 'hang'), n('slow', 'slow')],
  edges: [edge('a', 'bad'), edge('a', 'h'), edge('a', 'slow')],
};
const manyErrors: WorkflowBlueprint = {
  id: 'many-errors',
  nodes: Array.from({ length: 25 }, (_, i) => n(`x${i}`, 'fail')),
  edges: [],
};
const subTimeout: WorkflowBlueprint = {
  id: 'sub-timeout',
  nodes: [
    n('sub', 'subflow', {
      params: { blueprintId: 'hangs' },
      config: { timeout: 150, maxRetries: 2, retryDelay: 80 },
    }),
  ],
  edges: [],
};

describe('a run that is told when to begin and when to end', () => {
  let fleet: Fleet;
  let executed: { nodeId: string; at: number }[] = [];
  let aborted: { nodeId: string; at: number; reason: string }[] = [];
  const nameOf = ({ dependencies }: NodeContext) => (dependencies['turn'] as { nodeId: string }).nodeId;
  const open = async (workers = 1): Promise<FleetProcess> => {
    [executed, aborted] = [[], []];
    fleet = new Fleet(
      {
        step: async (context) => {
          executed.push({ nodeId: nameOf(context), at: Date.now() });
          return { output: 1 };
        },
        fail: async (context) => {
          throw new Error(`no, said ${nameOf(context)}`);
        },
        slow: async () => {
          await new Promise((resolve) => setTimeout(resolve, 150));
          return { output: 'slow' };
        },
        hang: async (context) => {
          const nodeId = nameOf(context);
          executed.push({ nodeId, at: Date.now() });
          await new Promise((resolve) => context.signal?.addEventListener('abort', resolve));
          aborted.push({ nodeId, at: Date.now(), reason: String(context.signal?.reason) });
          await context.context.set('late', true);
          return { output: 'late' };
        },
      },
      [simple, hangs, deep, middle, breaks, manyErrors, subTimeout],
      4000,
    );
    const [first] = await Promise.all(Array.from({ length: workers }, () => worker()));
    return first as FleetProcess;
  };
  const worker = async () => {
    const process = await fleet.process();
    await process.engine.worker.start();
    return process;
  };
  const running = async (count: number) => {
    while (executed.filter((e) => e.nodeId.startsWith('h')).length < count)
      await new Promise((resolve) => setTimeout(resolve, 10));
  };
  afterEach(() => fleet.end());

  it('begins after its delay, and says meanwhile that it waits', async () => {
    const { engine } = await open();
    const startedAt = Date.now();
    const { runId } = await engine.client.start('simple', {}, { delayMs: 400 });
    expect(await engine.client.wait(runId, { until: 'settled' })).toMatchObject({ status: 'awaiting' });
    const described = await engine.client.describe(runId);
    expect(described).toMatchObject({
      status: 'awaiting',
      awaiting: [{ nodeId: 'a', reason: 'start', wakeUpAt: expect.any(String) }],
    });
    const begins = `the run begins at ${described.awaiting[0]?.wakeUpAt}, by itself`;
    for (const nodeId of ['a', undefined]) {
      const answered = engine.client.resume(runId, nodeId, {});
      await expect(answered).rejects.toThrow(NodeNotAwaitingError);
      await expect(answered).rejects.toThrow(begins);
    }
    expect(await engine.client.wait(runId, {})).toMatchObject({ status: 'completed' });
    const [a] = executed;
    expect((a?.at ?? 0) - startedAt).toBeGreaterThanOrEqual(400);
    expect((a?.at ?? 0) - startedAt).toBeLessThan(1400);
    expect(executed.map((e) => e.nodeId)).toEqual(['a', 'b']);
  });

  it('begins not before its time although all of Redis is lost and somebody asks for it', async () => {
    const { engine } = await open();
    const startedAt = Date.now();
    const { runId } = await engine.client.start('simple', {}, { delayMs: 700 });
    fleet.servers.ledger.clear();
    await engine.reconciler.sweep(0, { alone: false });
    await engine.client.start('simple', {}, { runId, delayMs: 700 });
    expect(await engine.client.wait(runId, { timeoutMs: 10_000 })).toMatchObject({ status: 'completed' });
    expect((executed[0]?.at ?? 0) - startedAt).toBeGreaterThanOrEqual(700);
    expect(executed.map((e) => e.nodeId)).toEqual(['a', 'b']);
  }, 20_000);

  it('can be cancelled before it begins', async () => {
    const { engine } = await open();
    const { runId } = await engine.client.start('simple', {}, { delayMs: 150 });
    await engine.client.cancel(runId, 'changed my mind');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await engine.client.wait(runId, {})).toMatchObject({ status: 'cancelled', reason: 'changed my mind' });
    expect(executed).toEqual([]);
  });

  it('fails when its time is over, and aborts what runs', async () => {
    const { engine } = await open(2);
    const { runId } = await engine.client.start('hangs', {}, { timeoutMs: 300 });
    const outcome = await engine.client.wait(runId, {});
    expect(outcome).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining(`Run '${runId}' did not end within 300 ms`),
    });
    expect(aborted.map((a) => a.nodeId).sort()).toEqual(['h1', 'h2']);
  });

  it('that ends in time does not fail later', async () => {
    const { engine } = await open();
    const { runId } = await engine.client.start('simple', {}, { timeoutMs: 200 });
    await engine.client.wait(runId, {});
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await engine.client.describe(runId)).toMatchObject({ status: 'completed' });
  });

  it('when cancelled aborts its nodes on every worker within a second, and names them', async () => {
    const { engine, store } = await open(3);
    const { runId } = await engine.client.start('hangs', {}, {});
    await running(2);
    const cancelledAt = Date.now();
    await engine.client.cancel(runId, 'enough');
    expect(await engine.client.wait(runId, {})).toMatchObject({ status: 'cancelled', reason: 'enough' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(aborted).toHaveLength(2);
    for (const { at } of aborted) expect(at - cancelledAt).toBeLessThan(1000);
    const { nodes, awaiting } = await engine.client.describe(runId);
    expect(nodes.map(({ nodeId, status }) => [nodeId, status]).sort()).toEqual([
      ['a', 'completed'],
      ['h1', 'cancelled'],
      ['h2', 'cancelled'],
      ['w', 'cancelled'],
    ]);
    expect(nodes.find((node) => node.nodeId === 'h1')).toMatchObject({
      workerId: expect.any(String),
      times: { startedAt: expect.any(String) },
    });
    expect(awaiting).toEqual([]);
    expect(await engine.client.context(runId)).not.toHaveProperty('late');
    expect((await store.turns(runId)).find((row) => row.nodeId === 'z')).toBeUndefined();
  });

  it('cancels the runs of its subflows, running or not, at any depth', async () => {
    const { engine } = await open(2);
    const { runId } = await engine.client.start('deep', {}, {});
    await running(2);
    await engine.client.cancel(runId, 'enough');
    const { runs } = await engine.client.list({});
    expect(runs.map((run) => [run.blueprintId, run.status]).sort()).toEqual([
      ['deep', 'cancelled'],
      ['hangs', 'cancelled'],
      ['middle', 'cancelled'],
    ]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(aborted).toHaveLength(2);
  });

  it('goes on after a failure, or fails at once, as it is told', async () => {
    const { engine, logger } = await open(2);
    const start = async (options: StartOptions) => (await engine.client.start('breaks', {}, options)).runId;
    const fast = await start({ failurePolicy: 'fail-fast' });
    const outcome = await engine.client.wait(fast, { timeoutMs: 3000 });
    expect(outcome).toMatchObject({
      status: 'failed',
      timedOut: false,
      reason: "Node 'bad' execution failed: no, said bad",
      errors: [{ nodeId: 'bad', message: "Node 'bad' execution failed", cause: { message: 'no, said bad' } }],
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(aborted.map((a) => a.nodeId)).toEqual(['h']);
    expect((await engine.client.describe(fast)).nodes.find((node) => node.nodeId === 'h')?.status).toBe('cancelled');
    const warned = logger.lines.filter((line) => line.level === 'warn' && line.message.startsWith('Run failed'));
    const others = await start({});
    expect((await engine.client.wait(others, { timeoutMs: 600 })).timedOut).toBe(true);
    expect((await engine.client.context(others))['slow']).toBe('slow');
    expect(warned.length).toBeLessThanOrEqual(1);
  });

  it('tells each of many errors with its message and its cause', async () => {
    const { engine } = await open();
    const { runId } = await engine.client.start('many-errors', {}, {});
    const { errors, result } = await engine.client.wait(runId, {});
    expect(errors).toHaveLength(25);
    for (const { nodeId, message, cause } of errors ?? []) {
      expect(message).toBe(`Node '${nodeId}' execution failed`);
      expect(cause).toEqual({ name: 'Error', message: `no, said ${nodeId}` });
    }
    expect(result?.errors?.every((error) => error.message.startsWith("Node 'x"))).toBe(true);
  });

  it('limits and pauses the attempts at a subflow', async () => {
    const { engine } = await open();
    const { runId } = await engine.client.start('sub-timeout', {}, {});
    const outcome = await engine.client.wait(runId, { timeoutMs: 5000 });
    expect(outcome.status).toBe('failed');
    expect(outcome.errors?.[0]?.message).toMatch(/^Sub-workflow 'hangs' did not complete successfully/);
    expect((await engine.client.describe(runId)).nodes).toMatchObject([{ nodeId: 'sub', attempts: 2 }]);
  });

  it.each([
    [{ delayMs: -1 }, 'delayMs'],
    [{ delayMs: 1.5 }, 'delayMs'],
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs'],
    [{ failurePolicy: 'stop' }, 'failurePolicy'],
  ])('is refused with %j, before anything is written', async (options, path) => {
    const { engine } = await open();
    const started = engine.client.start('simple', {}, options as StartOptions);
    await expect(started).rejects.toThrow(ArgumentInvalidError);
    await expect(started).rejects.toThrow(path);
    expect((await engine.client.list({})).runs).toEqual([]);
  });
});
