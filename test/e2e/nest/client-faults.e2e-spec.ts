import type { INestApplicationContext } from '@nestjs/common';
import type { NodeContext } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaError, FlowcraftKafkaModule } from '../../../src/index.js';
import { CONTACT_POINTS, DATA_CENTRE } from '../../support/cassandra-fixture.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { REDIS_URL } from '../../support/redis-fixture.js';
import { openServers } from '../../support/servers.js';

const CALL_TIMEOUT_MS = 2500;
const servers = openServers('client_faults');
const [cassandraHost = '127.0.0.1', cassandraPort = '9042'] = (CONTACT_POINTS[0] ?? '').split(':');
const redisUrl = new URL(REDIS_URL);
const proxies: FaultProxy[] = [];
let app: INestApplicationContext;
let client: FlowcraftClient;
let cassandra: FaultProxy;
let redis: FaultProxy;
let waiting: string;

async function outcomeOf(work: Promise<unknown>): Promise<{ code: unknown; ms: number }> {
  const start = performance.now();
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const code = error instanceof FlowcraftKafkaError ? error.code : error;
  return { code, ms: performance.now() - start };
}

beforeAll(async () => {
  cassandra = await FaultProxy.open(Number(cassandraPort), cassandraHost);
  redis = await FaultProxy.open(Number(redisUrl.port || 6379), redisUrl.hostname);
  proxies.push(cassandra, redis);
  const root = rootModule([
    FlowcraftKafkaModule.forRoot({
      ...servers.options,
      cassandra: { contactPoints: [`127.0.0.1:${cassandra.port}`], localDataCenter: DATA_CENTRE },
      redis: `redis://127.0.0.1:${redis.port}`,
      client: { callTimeoutMs: CALL_TIMEOUT_MS },
      runtime: {
        registry: { step: async ({ input }: NodeContext) => ({ output: input }) },
        blueprints: {
          one: { id: 'one', nodes: [{ id: 'a', uses: 'step' }], edges: [] },
          waits: { id: 'waits', nodes: [{ id: 'w', uses: 'wait' }], edges: [] },
        },
      },
    }),
  ]);
  app = await builderOf(root, new RecordingLogger()).compile();
  await app.init();
  client = app.get(FlowcraftClient);
  waiting = (await client.start('waits')).runId;
  await client.waitForWorkflow(waiting, { until: 'settled' });
}, 60_000);

afterAll(async () => {
  for (const proxy of proxies) proxy.set('pass');
  await app.close();
  for (const proxy of proxies) await proxy.close();
  await servers.remove();
}, 60_000);

describe.each([
  ['Cassandra', () => cassandra],
  ['Redis', () => redis],
])('while %s is away', (name, proxyOf) => {
  it.each(['hole', 'refuse'] as const)(
    'calls end in time with a coded error, and work again after it (%s)',
    async (mode) => {
      const proxy = proxyOf();
      proxy.set(mode);
      if (mode === 'refuse') proxy.cut();
      const runId = `late-${name}-${mode}`;
      const calls = [
        client.start('one', {}, { runId }),
        client.getRun(waiting),
        client.resume(waiting, { output: 1 }),
        client.waitForWorkflow(waiting, { timeoutMs: 1500 }),
        ...(name === 'Cassandra' ? [client.listRuns(), client.getContext(waiting)] : []),
      ];
      const outcomes = await Promise.all(calls.map(outcomeOf));
      for (const { code, ms } of outcomes) {
        expect([undefined, 'FLOW_CALL_TIMEOUT', 'FLOW_UNAVAILABLE']).toContain(code);
        expect(ms).toBeLessThan(CALL_TIMEOUT_MS + 4000);
      }
      expect(outcomes[0]?.code).toBeDefined();
      expect(outcomes[1]?.code).toBeDefined();
      proxy.set('pass');
      await client.start('one', {}, { runId }).catch(() => client.start('one', {}, { runId }));
      expect(await client.waitForWorkflow(runId, { timeoutMs: 30_000 })).toMatchObject({ status: 'completed' });
      waiting = (await client.start('waits')).runId;
      await client.waitForWorkflow(waiting, { until: 'settled' });
    },
    60_000,
  );
});
