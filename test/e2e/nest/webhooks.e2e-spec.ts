import { createHmac, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication, INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Client } from 'cassandra-driver';
import type { NodeContext, WorkflowBlueprint } from 'flowcraft';
import { Redis } from 'ioredis';
import { FlowcraftClient, FlowcraftKafkaModule, type NodeWebhooks } from '../../../src/index.js';
import { SOURCE } from '../../support/cassandra-fixture.js';
import { REDIS_URL, removeKeys } from '../../support/redis-fixture.js';
import { openServers } from '../../support/servers.js';

const TIMEOUT_MS = 120_000;
const BASE_URL = 'https://hooks.example.com';
const SECRET = 'what the callers sign with';
const n = (id: string, uses: string, rest: object = {}) => ({ id, uses, ...rest });
const edge = (source: string, target: string, action?: string) => ({ source, target, ...(action ? { action } : {}) });

const asks: WorkflowBlueprint = {
  id: 'asks',
  nodes: [n('ask', 'ask'), n('hold', 'hold'), n('h', 'webhook'), n('z', 'echo')],
  edges: [edge('ask', 'hold'), edge('hold', 'h'), edge('h', 'z')],
};
const loop: WorkflowBlueprint = {
  id: 'loop',
  nodes: [
    n('start', 'echo'),
    n('again', 'loop-controller', { params: { condition: 'more' }, config: { joinStrategy: 'any' } }),
    n('ask', 'ask'),
    n('h', 'webhook'),
    n('count', 'count'),
    n('end', 'echo'),
  ],
  edges: [
    edge('start', 'again'),
    edge('again', 'ask', 'continue'),
    edge('ask', 'h'),
    edge('h', 'count'),
    edge('count', 'again'),
    edge('again', 'end', 'break'),
  ],
};

describe('webhooks on servers', () => {
  const servers = openServers('webhooks');
  const encryption = { keys: { k: randomBytes(32).toString('base64') }, activeKeyId: 'k' };
  const apps: INestApplicationContext[] = [];
  /** Those with the endpoint, which execute nothing. */
  let fronts: string[] = [];
  let urls: Record<string, string[]> = {};
  let isHeld = false;

  const registry = {
    echo: async ({ input }: NodeContext) => ({ output: input }),
    hold: async ({ input }: NodeContext) => {
      while (isHeld) await pause(20);
      return { output: input };
    },
    ask: async ({ dependencies }: NodeContext) => {
      const { runId } = dependencies['turn'] as { runId: string };
      const { url } = await (dependencies['webhooks'] as NodeWebhooks).urlFor('h');
      (urls[runId] ??= []).push(url);
      return { output: 'asked' };
    },
    count: async ({ context, input }: NodeContext) => {
      const seen = [...(((await context.get('seen')) as unknown[] | undefined) ?? []), input];
      await context.set('seen', seen);
      await context.set('more', seen.length < 3);
      return { output: input };
    },
  };
  const module = (isWorker: boolean) =>
    FlowcraftKafkaModule.forRoot({
      ...servers.options,
      encryption,
      worker: { enabled: isWorker, leaseMs: 3000, livenessMs: 1500 },
      reconciler: { enabled: false },
      webhooks: { baseUrl: BASE_URL, hmac: { secret: SECRET } },
      runtime: { registry, blueprints: { asks, loop } },
    });
  const openAll = async () => {
    fronts = [];
    for (let i = 0; i < 2; i++) {
      const app: INestApplication = await NestFactory.create(module(false), { logger: ['fatal'] });
      apps.push(app);
      await app.listen(0, '127.0.0.1');
      fronts.push(await app.getUrl());
      apps.push(await NestFactory.createApplicationContext(module(true), { logger: ['fatal'] }));
    }
  };
  const closeAll = () => Promise.all(apps.splice(0).map((app) => app.close()));
  const client = () => (apps[0] as INestApplicationContext).get(FlowcraftClient);

  const post = async (url: string, value: unknown, front = 0) => {
    const body = JSON.stringify(value);
    const at = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', SECRET).update(`${at}.${body}`).digest('hex');
    const headers = {
      'content-type': 'application/json',
      'x-flowcraft-timestamp': at,
      'x-flowcraft-signature': signature,
    };
    return (await fetch(url.replace(BASE_URL, fronts[front] ?? ''), { method: 'POST', body, headers })).status;
  };
  const urlOf = async (runId: string, count = 1): Promise<string> => {
    while ((urls[runId]?.length ?? 0) < count) await pause(10);
    return urls[runId]?.[count - 1] ?? '';
  };
  const settled = (runId: string) => client().waitForWorkflow(runId, { until: 'settled', timeoutMs: 30_000 });

  /** Everything that Cassandra holds of this fleet, as text. */
  const stored = async () => {
    const cassandra = new Client(SOURCE);
    const { keyspace } = servers.options;
    const tables = await cassandra.execute('SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?', [
      keyspace,
    ]);
    const texts: string[] = [];
    for (const table of tables.rows) {
      const { rows } = await cassandra.execute(`SELECT JSON * FROM ${keyspace}.${String(table['table_name'])}`);
      texts.push(...rows.map((row) => String(row['[json]'])));
    }
    await cassandra.shutdown();
    return texts.join('\n');
  };

  beforeAll(openAll, TIMEOUT_MS);
  beforeEach(() => {
    [urls, isHeld] = [{}, false];
  });
  afterAll(async () => {
    await closeAll();
    await servers.remove();
  }, TIMEOUT_MS);

  it(
    'a POST at one process answers what waits at another, once, whatever was asked at the same time elsewhere',
    async () => {
      const started = await Promise.all(Array.from({ length: 10 }, () => client().start('asks')));
      for (const { runId } of started) {
        const url = await urlOf(runId);
        expect(await settled(runId)).toMatchObject({ status: 'awaiting' });
        const statuses = await Promise.all([0, 1, 2, 3].map((i) => post(url, { i }, i % 2)));
        expect([...statuses].sort()).toEqual([202, 404, 404, 404]);
        const { status, result } = await client().waitForWorkflow(runId);
        expect([status, result?.context['z']]).toEqual(['completed', { i: statuses.indexOf(202) }]);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'a node waits on, and its URL stays valid, when all processes are started anew and Redis has lost everything',
    async () => {
      const { runId } = await client().start('asks');
      const url = await urlOf(runId);
      await settled(runId);
      await closeAll();
      const redis = new Redis(REDIS_URL);
      await removeKeys(redis, servers.options.redisKeyPrefix);
      await redis.quit();
      await openAll();
      expect(await post(`${url.slice(0, -1)}${url.endsWith('A') ? 'B' : 'A'}`, {})).toBe(404);
      expect(await post(url, { a: 'after the restart' }, 1)).toBe(202);
      expect((await client().waitForWorkflow(runId)).result?.context['z']).toEqual({ a: 'after the restart' });
      expect(await post(url, {})).toBe(404);
    },
    TIMEOUT_MS,
  );

  it(
    'what is posted before the node waits is kept, sealed, through a restart; nothing holds the token',
    async () => {
      isHeld = true;
      const { runId } = await client().start('asks');
      const url = await urlOf(runId);
      const statuses = await Promise.all([0, 1].map((i) => post(url, { note: 'SENSITIVE', i }, i)));
      expect([...statuses].sort()).toEqual([202, 404]);
      const before = await stored();
      const closed = closeAll();
      isHeld = false;
      await closed;
      await openAll();
      const { status, result } = await client().waitForWorkflow(runId);
      expect(status).toBe('completed');
      expect(result?.context['z']).toEqual({ note: 'SENSITIVE', i: statuses.indexOf(202) });
      const token = url.slice(url.lastIndexOf('/') + 1);
      for (const text of [before, await stored()]) {
        expect(text).toContain(runId);
        expect(text).not.toContain(token);
        expect(text).not.toContain('SENSITIVE');
      }
    },
    TIMEOUT_MS,
  );

  it(
    'each pass of a loop has its own URL',
    async () => {
      const { runId } = await client().start('loop', { more: true });
      for (const pass of [1, 2, 3]) {
        const url = await urlOf(runId, pass);
        if (pass > 1) expect(await post(await urlOf(runId, pass - 1), 'again')).toBe(404);
        expect(await post(url, `pass ${pass}`, pass % 2)).toBe(202);
      }
      expect((await client().waitForWorkflow(runId)).result?.context['seen']).toEqual(['pass 1', 'pass 2', 'pass 3']);
    },
    TIMEOUT_MS,
  );

  it(
    'a cancelled run answers no call, and a new URL can be made for a node that waits',
    async () => {
      const { runId } = await client().start('asks');
      await urlOf(runId);
      await settled(runId);
      const { url, expiresAt } = await client().createWebhookUrl(runId, 'h');
      expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
      await client().cancel(runId);
      expect(await post(url, {})).toBe(404);
    },
    TIMEOUT_MS,
  );
});
