import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import type { NodeFunction, WorkflowBlueprint } from 'flowcraft';
import { Redis } from 'ioredis';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';
import { REDIS_URL, removeKeys } from '../../support/redis-fixture.js';
import { openServers, type Servers } from '../../support/servers.js';

const ITEMS = Number(process.env['BATCH_ITEMS'] ?? 2_000);

const blueprint: WorkflowBlueprint = {
  id: 'batch',
  nodes: [
    {
      id: 's',
      uses: 'batch-scatter',
      inputs: 'items',
      params: { workerUsesKey: 'square', gatherNodeId: 'g', outputKey: 'squares' },
    },
    { id: 'g', uses: 'batch-gather', params: { gatherNodeId: 'g', outputKey: 'squares' } },
    { id: 'z', uses: 'sum', inputs: 'squares' },
  ],
  edges: [
    { source: 's', target: 'g' },
    { source: 'g', target: 'z' },
  ],
};

describe('a large batch on servers', () => {
  const executed = [0, 0];
  let servers: Servers;
  let apps: INestApplicationContext[] = [];
  let clientOf: () => FlowcraftClient;

  const start = async (index: number) => {
    const registry: Record<string, NodeFunction> = {
      square: async ({ input }) => {
        executed[index] = (executed[index] ?? 0) + 1;
        return { output: Number(input) ** 2 };
      },
      sum: async ({ input }) => ({ output: (input as number[]).reduce((a, b) => a + b, 0) }),
    };
    const module = FlowcraftKafkaModule.forRoot({
      ...servers.options,
      runtime: { registry, blueprints: { batch: blueprint } },
    });
    const app = await NestFactory.createApplicationContext(module, {
      logger: process.env['LOGS'] ? undefined : ['fatal'],
    });
    app.enableShutdownHooks();
    apps.push(app);
    return app;
  };

  beforeAll(async () => {
    servers = openServers('batches');
    const [first] = [await start(0), process.env['ONE'] === undefined ? await start(1) : undefined];
    clientOf = () => first.get(FlowcraftClient);
  }, 60_000);
  afterAll(async () => {
    for (const app of apps) await app.close();
    apps = [];
    await servers.remove();
  }, 60_000);

  const run = async (items: number) => {
    const input = Array.from({ length: items }, (_, i) => i);
    const { runId } = await clientOf().start('batch', { items: input });
    const outcome = await clientOf().waitForWorkflow(runId, { timeoutMs: 110_000 });
    expect(outcome.status).toBe('completed');
    expect(outcome.result?.context['z']).toBe(input.reduce((sum, i) => sum + i * i, 0));
    return { runId, outcome };
  };

  it('is worked on by the whole fleet', async () => {
    for (const items of process.env['BATCH_MEASURE'] === undefined ? [ITEMS] : [100, 1_000, 10_000]) {
      executed.fill(0);
      const at = Date.now();
      await run(items);
      const ms = Date.now() - at;
      if (process.env['BATCH_MEASURE'] !== undefined) {
        const { heapUsed, rss } = process.memoryUsage();
        console.log(
          `${items} items: ${ms} ms, ${Math.round((items * 1000) / ms)} items/s, ${executed.join(' + ')} executed, heap ${heapUsed >> 20} MiB, rss ${rss >> 20} MiB`,
        );
      }
    }
    const [first = 0, second = 0] = executed;
    expect(first + second).toBeGreaterThanOrEqual(ITEMS);
    if (process.env['ONE'] === undefined) expect(Math.min(first, second)).toBeGreaterThan(ITEMS / 20);
  }, 240_000);

  it('goes on when Redis has lost the run in the middle of it', async () => {
    const redis = new Redis(REDIS_URL);
    executed.fill(0);
    const ended = run(ITEMS);
    while (executed[0] === 0 || (executed[0] ?? 0) + (executed[1] ?? 0) < ITEMS / 2)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await removeKeys(redis, servers.options.redisKeyPrefix);
    await redis.quit();
    const { runId } = await ended;
    const nodes = (await clientOf().getRun(runId)).nodes.filter(({ nodeId }) => nodeId.startsWith('square_'));
    expect(new Set(nodes.map((n) => n.nodeId)).size).toBe(ITEMS);
    expect(new Set(nodes.map((n) => n.status))).toEqual(new Set(['completed']));
  }, 240_000);
});
