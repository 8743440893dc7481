import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NodeContext, WorkflowBlueprint } from 'flowcraft';
import { Redis } from 'ioredis';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';
import { REDIS_URL, removeKeys } from '../../support/redis-fixture.js';
import { openServers } from '../../support/servers.js';

const TIMEOUT_MS = 120_000;
const n = (id: string, uses: string, rest: object = {}) => ({ id, uses, ...rest });
const edge = (source: string, target: string, action?: string) => ({ source, target, ...(action ? { action } : {}) });

const naps = (id: string, duration: number): WorkflowBlueprint => ({
  id,
  nodes: [n('a', 'step'), n('s', 'sleep', { params: { duration } }), n('b', 'step')],
  edges: [edge('a', 's'), edge('s', 'b')],
});
const blueprints: WorkflowBlueprint[] = [
  naps('naps', 1500),
  naps('sleeps', 9000),
  { id: 'retries', nodes: [n('x', 'flaky', { config: { maxRetries: 3, retryDelay: 3200 } })], edges: [] },
  {
    id: 'limited',
    nodes: [n('w', 'wait', { params: { timeoutMs: 800, timeoutAction: 'expired' } }), n('late', 'step')],
    edges: [edge('w', 'late', 'expired')],
  },
  { id: 'hangs', nodes: [n('a', 'step'), n('h1', 'hang'), n('h2', 'hang')], edges: [edge('a', 'h1'), edge('a', 'h2')] },
];

describe('times on servers', () => {
  const servers = openServers('times');
  const apps: INestApplicationContext[] = [];
  let executed: { nodeId: string; runId: string; at: number; attempt: number }[] = [];
  let aborted: number[] = [];
  const note = ({ dependencies }: NodeContext) => {
    const turn = dependencies['turn'] as { nodeId: string; runId: string; attempt: number };
    executed.push({ ...turn, at: Date.now() });
    return turn.attempt;
  };
  const registry = {
    step: async (context: NodeContext) => {
      note(context);
      return { output: 'done' };
    },
    flaky: async (context: NodeContext) => {
      if (note(context) < 3) throw new Error('not yet');
      return { output: 'done' };
    },
    hang: async (context: NodeContext) => {
      note(context);
      await new Promise((resolve) => context.signal?.addEventListener('abort', resolve));
      aborted.push(Date.now());
      return { output: 'late' };
    },
  };
  const worker = async () => {
    const module = FlowcraftKafkaModule.forRoot({
      ...servers.options,
      reconciler: { enabled: false },
      runtime: { registry, blueprints: Object.fromEntries(blueprints.map((b) => [b.id, b])) },
    });
    const app = await NestFactory.createApplicationContext(module, { logger: ['fatal'] });
    apps.push(app);
    return app;
  };
  const client = () => (apps[0] as INestApplicationContext).get(FlowcraftClient);
  const of = (runId: string) => executed.filter((e) => e.runId === runId);

  beforeAll(async () => {
    await worker();
    await worker();
  }, TIMEOUT_MS);
  afterEach(() => {
    [executed, aborted] = [[], []];
  });
  afterAll(async () => {
    for (const app of apps) await app.close();
    await servers.remove();
  }, TIMEOUT_MS);

  it(
    'many sleep at once, and each wakes within a second of its time, once',
    async () => {
      const started = await Promise.all(Array.from({ length: 40 }, () => client().start('naps')));
      const outcomes = await Promise.all(started.map(({ runId }) => client().waitForWorkflow(runId)));
      expect(outcomes.every((outcome) => outcome.status === 'completed')).toBe(true);
      for (const { runId } of started) {
        expect(of(runId).map((e) => e.nodeId)).toEqual(['a', 'b']);
        const { nodes } = await client().getRun(runId);
        const slept = nodes.find((node) => node.nodeId === 's')?.times;
        expect(Date.parse(slept?.endedAt ?? '') - Date.parse(slept?.startedAt ?? '')).toBeLessThan(2500);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'a sleep outlasts the loss of all that Redis holds, and of its process',
    async () => {
      const { runId } = await client().start('sleeps');
      await client().waitForWorkflow(runId, { until: 'settled' });
      const due = Date.parse((await client().getRun(runId)).awaiting[0]?.wakeUpAt ?? '');
      const redis = new Redis(REDIS_URL);
      await removeKeys(redis, servers.options.redisKeyPrefix);
      await redis.quit();
      await Promise.all(apps.splice(0).map((app) => app.close()));
      await worker();
      await worker();
      expect(await client().waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
      expect(of(runId).map((e) => e.nodeId)).toEqual(['a', 'b']);
      const woke = of(runId)[1]?.at ?? 0;
      expect(woke).toBeGreaterThanOrEqual(due);
      expect(woke - due).toBeLessThan(5000);
    },
    TIMEOUT_MS,
  );

  it(
    'a node pauses between its attempts without a slot, and keeps count',
    async () => {
      const { runId } = await client().start('retries');
      expect(await client().waitForWorkflow(runId)).toMatchObject({ status: 'completed' });
      expect(of(runId).map((e) => e.attempt)).toEqual([1, 2, 3]);
      expect((await client().getRun(runId)).nodes).toMatchObject([{ status: 'completed', attempts: 3 }]);
    },
    TIMEOUT_MS,
  );

  it(
    'waits, starts and runs have their times',
    async () => {
      const at = Date.now();
      const [limited, delayed, late] = await Promise.all([
        client().start('limited'),
        client().start('naps', {}, { delayMs: 1000 }),
        client().start('hangs', {}, { timeoutMs: 1500 }),
      ]);
      expect(await client().waitForWorkflow(delayed.runId, { until: 'settled' })).toMatchObject({ status: 'awaiting' });
      expect((await client().waitForWorkflow(limited.runId)).result?.context).toMatchObject({ late: 'done' });
      expect(await client().waitForWorkflow(late.runId)).toMatchObject({
        status: 'failed',
        reason: expect.stringContaining('did not end within 1500 ms'),
      });
      expect(await client().waitForWorkflow(delayed.runId)).toMatchObject({ status: 'completed' });
      expect((of(delayed.runId)[0]?.at ?? 0) - at).toBeGreaterThanOrEqual(1000);
    },
    TIMEOUT_MS,
  );

  it(
    'a cancelled run aborts its nodes on every worker within a second, and names them',
    async () => {
      const { runId } = await client().start('hangs');
      while (of(runId).length < 3) await pause(20);
      const at = Date.now();
      await client().cancel(runId, 'enough');
      while (aborted.length < 2 && Date.now() - at < 5000) await pause(10);
      expect(aborted).toHaveLength(2);
      for (const moment of aborted) expect(moment - at).toBeLessThan(1000);
      expect((await client().getRun(runId)).nodes.map((node) => node.status).sort()).toEqual([
        'cancelled',
        'cancelled',
        'completed',
      ]);
    },
    TIMEOUT_MS,
  );
});
