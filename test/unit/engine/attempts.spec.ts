import { afterEach, describe, expect, it } from '@jest/globals';
import { BaseNode, FlowcraftError, type NodeContext, type NodeRegistry, type WorkflowBlueprint } from 'flowcraft';
import { NodeNotAwaitingError } from '../../../src/core/errors.js';
import { Fleet, type FleetProcess } from '../../support/fleet.js';

const blueprint = (id: string, uses: string, config: object, rest: object[] = []): WorkflowBlueprint =>
  ({ id, nodes: [{ id: 'x', uses, config }, ...rest], edges: [] }) as WorkflowBlueprint;

interface Try {
  readonly at: number;
  readonly attempt: number;
  readonly key: string;
}

describe('the attempts at a node', () => {
  let fleet: Fleet;
  let tries: Try[];
  let calls: string[];
  /** Attempts up to this one fail. */
  let failing = Infinity;
  const note = ({ dependencies }: NodeContext) => {
    const { attempt, idempotencyKey } = dependencies['turn'] as { attempt: number; idempotencyKey: string };
    tries.push({ at: Date.now(), attempt, key: idempotencyKey });
    return attempt;
  };
  class Lifecycle extends BaseNode {
    readonly #own = 'prepared';
    override async prep(): Promise<unknown> {
      calls.push('prep');
      return this.#own;
    }
    async exec(prepared: unknown, context: NodeContext) {
      calls.push(`exec ${String(prepared)}`);
      if (note(context) <= failing) throw new Error('no');
      return { output: 'done' };
    }
    override async recover(error: Error): Promise<void> {
      calls.push(`recover ${error.message}`);
    }
  }
  const registry: NodeRegistry = {
    flaky: async (context) => {
      if (note(context) <= failing) throw new Error('no');
      return { output: 'done' };
    },
    fatal: async (context) => {
      note(context);
      throw new FlowcraftError('never', { isFatal: true });
    },
    slow: async (context) => {
      note(context);
      await new Promise((resolve) => context.signal?.addEventListener('abort', resolve));
      calls.push((context.signal?.reason as Error).name);
      await context.context.set('late', true);
      return { output: 'late' };
    },
    rescue: async () => ({ output: 'rescued' }),
    lifecycle: Lifecycle,
  };
  const open = async (config: object, uses = 'flaky', rest: object[] = []): Promise<FleetProcess> => {
    [tries, calls, failing] = [[], [], Infinity];
    fleet = new Fleet(registry, [blueprint('b', uses, config, rest)]);
    return worker();
  };
  const worker = async (): Promise<FleetProcess> => {
    const process = await fleet.process();
    await process.engine.worker.start();
    return process;
  };
  const pauses = () => tries.slice(1).map(({ at }, i) => at - (tries[i]?.at ?? 0));
  afterEach(() => fleet.end());

  it('are counted, with and without pauses between them', async () => {
    const { engine } = await open({ maxRetries: 3 });
    const { runId } = await engine.client.start('b', {}, {});
    expect(await engine.client.wait(runId, {})).toMatchObject({ status: 'failed' });
    expect((await engine.client.describe(runId)).nodes).toMatchObject([{ attempts: 3, status: 'failed' }]);
    expect(tries.map((t) => t.attempt)).toEqual([1, 2, 3]);
    expect(pauses().every((ms) => ms < 50)).toBe(true);
  });

  it('have pauses that double', async () => {
    const { engine } = await open({ maxRetries: 4, retryDelay: 60 });
    const { runId } = await engine.client.start('b', {}, {});
    expect(await engine.client.wait(runId, {})).toMatchObject({ status: 'failed' });
    expect(pauses()).toHaveLength(3);
    for (const [i, ms] of pauses().entries()) {
      expect(ms).toBeGreaterThanOrEqual(60 * 2 ** i - 2);
      expect(ms).toBeLessThan(60 * 2 ** i * 1.25 + 100);
    }
  });

  it('are not repeated after a fatal error', async () => {
    const { engine } = await open({ maxRetries: 3, retryDelay: 10 }, 'fatal');
    const { runId } = await engine.client.start('b', {}, {});
    expect(await engine.client.wait(runId, {})).toMatchObject({ status: 'failed' });
    expect(tries).toHaveLength(1);
  });

  it('with a long pause between them free the slot, go on elsewhere, and keep count and key', async () => {
    const first = await open({ maxRetries: 3, retryDelay: 3100, maxRetryDelay: 3100 });
    failing = 2;
    const { engine } = first;
    const { runId } = await engine.client.start('b', {}, {});
    const settled = engine.client.wait(runId, { until: 'settled', timeoutMs: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(first.engine.worker.running).toEqual([]);
    const paused = await engine.client.describe(runId);
    expect(paused).toMatchObject({ status: 'running', awaiting: [] });
    expect(paused.nodes).toMatchObject([
      { status: 'running', attempts: 1, retryAt: expect.any(String), error: { cause: { message: 'no' } } },
    ]);
    await expect(engine.client.resume(runId, 'x', {})).rejects.toThrow(NodeNotAwaitingError);
    const second = await worker();
    await first.leave();
    await engine.worker.drain();
    fleet.servers.ledger.clear();
    expect(await settled).toMatchObject({ status: 'completed', result: { context: { x: 'done' } } });
    expect(tries.map((t) => t.attempt)).toEqual([1, 2, 3]);
    expect(new Set(tries.map((t) => t.key)).size).toBe(1);
    const [node] = (await second.engine.client.describe(runId)).nodes;
    expect(node).toMatchObject({ status: 'completed', attempts: 3 });
    expect(node?.error).toBeUndefined();
    for (const ms of pauses()) expect(ms).toBeGreaterThanOrEqual(3100);
  }, 30_000);

  it('end when their time limit is over, and their late writes are dropped', async () => {
    const { engine } = await open({ maxRetries: 2, timeout: 60, fallback: 'f' }, 'slow', [{ id: 'f', uses: 'rescue' }]);
    const { runId } = await engine.client.start('b', {}, {});
    const outcome = await engine.client.wait(runId, {});
    expect(outcome.status).toBe('completed');
    expect(tries).toHaveLength(2);
    expect(calls).toEqual(['NodeTimeoutError', 'NodeTimeoutError']);
    expect(outcome.result?.context).not.toHaveProperty('late');
    const x = (await engine.client.describe(runId)).nodes.find((n) => n.nodeId === 'x');
    expect(x).toMatchObject({ attempts: 2, error: { cause: { name: 'NodeTimeoutError' } } });
    expect(x?.error?.cause?.message).toBe(
      "Node 'x' did not end within 60 ms (attempt 2 of 2). Let it heed its signal, or raise config.timeout.",
    );
  });

  it('of a class are those of its exec; each stretch between long pauses is an object of its own', async () => {
    const { engine } = await open({ maxRetries: 3, retryDelay: 1600 }, 'lifecycle');
    failing = 2;
    const { runId } = await engine.client.start('b', {}, {});
    expect(await engine.client.wait(runId, { timeoutMs: 20_000 })).toMatchObject({ status: 'completed' });
    expect(calls).toEqual(['prep', 'exec prepared', 'exec prepared', 'recover no', 'prep', 'exec prepared']);
    expect(tries.map((t) => t.attempt)).toEqual([1, 2, 3]);
  }, 30_000);
});

describe('a wait with a time limit', () => {
  let fleet: Fleet;
  afterEach(() => fleet.end());
  const open = async (params: object) => {
    const limited: WorkflowBlueprint = {
      id: 'limited',
      nodes: [
        { id: 'w', uses: 'wait', params: params as Record<string, unknown> },
        { id: 'yes', uses: 'step' },
        { id: 'late', uses: 'step' },
      ],
      edges: [
        { source: 'w', target: 'yes', action: 'approved' },
        { source: 'w', target: 'late', action: 'expired' },
      ],
    };
    fleet = new Fleet({ step: async ({ input }) => ({ output: input ?? 'nothing' }) }, [limited]);
    const process = await fleet.process();
    await process.engine.worker.start();
    return process.engine.client;
  };

  it('takes its own action when the time is over', async () => {
    const client = await open({ timeoutMs: 150, timeoutAction: 'expired' });
    const { runId } = await client.start('limited', {}, {});
    expect((await client.wait(runId, { until: 'settled' })).status).toBe('awaiting');
    expect((await client.describe(runId)).awaiting).toMatchObject([
      { nodeId: 'w', reason: 'external_event', wakeUpAt: expect.any(String) },
    ]);
    const outcome = await client.wait(runId, {});
    expect(outcome.result?.context).toMatchObject({ late: 'nothing' });
    expect(outcome.result?.context).not.toHaveProperty('yes');
    await expect(client.resume(runId, 'w', {})).rejects.toThrow(NodeNotAwaitingError);
  });

  it('that is answered in time takes the answer', async () => {
    const client = await open({ timeoutMs: 300, timeoutAction: 'expired' });
    const { runId } = await client.start('limited', {}, {});
    await client.wait(runId, { until: 'settled' });
    await client.resume(runId, 'w', { action: 'approved', output: 7 });
    await new Promise((resolve) => setTimeout(resolve, 400));
    const outcome = await client.wait(runId, {});
    expect(outcome.result?.context).toMatchObject({ yes: 7 });
    expect(outcome.result?.context).not.toHaveProperty('late');
  });

  it('races with answers: one of them wins', async () => {
    const client = await open({ timeoutMs: 100, timeoutAction: 'expired' });
    const started = await Promise.all(Array.from({ length: 20 }, () => client.start('limited', {}, {})));
    await Promise.all(started.map(({ runId }) => client.wait(runId, { until: 'settled' })));
    await new Promise((resolve) => setTimeout(resolve, 60));
    const answers = await Promise.allSettled(
      started.map(async ({ runId }, i) => {
        await new Promise((resolve) => setTimeout(resolve, i * 3));
        await client.resume(runId, 'w', { action: 'approved' });
      }),
    );
    for (const [i, { runId }] of started.entries()) {
      const { result } = await client.wait(runId, {});
      const won = answers[i]?.status === 'fulfilled';
      expect(Object.keys(result?.context ?? {}).includes('yes')).toBe(won);
      expect(Object.keys(result?.context ?? {}).includes('late')).toBe(!won);
    }
  });

  it.each([{ timeoutMs: -1 }, { timeoutMs: '5m' }, { timeoutMs: 1, timeoutAction: 5 }])(
    'fails with %j, and says why',
    async (params) => {
      const client = await open(params);
      const { runId } = await client.start('limited', {}, {});
      const outcome = await client.wait(runId, {});
      expect(outcome.errors?.[0]?.message).toMatch(/^Node 'w' cannot wait: params\.timeout(Ms|Action) must be/);
    },
  );
});
