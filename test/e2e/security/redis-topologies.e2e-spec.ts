import { Cluster, Redis } from 'ioredis';
import { FlowcraftClient, FlowcraftKafkaModule, type FlowcraftKafkaOptions } from '../../../src/index.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { RedisClusterServers, RedisSentinelServers } from '../../support/redis-topologies.js';
import { openServers } from '../../support/servers.js';
import { blueprints, registry, runOneOfEach } from './whole-workflow.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
}, 30_000);

async function startApp(redis: FlowcraftKafkaOptions['redis']) {
  const servers = openServers('topology');
  closing.push(() => servers.remove());
  const logger = new RecordingLogger();
  const options = { ...servers.options, runtime: { blueprints, registry }, reconciler: { enabled: false } };
  const root = rootModule([FlowcraftKafkaModule.forRoot({ ...options, ...(redis ? { redis } : {}) })]);
  const app = await builderOf(root, logger).compile();
  closing.push(() => app.close());
  await app.init();
  return { client: app.get(FlowcraftClient), logger, prefix: servers.options.redisKeyPrefix };
}

const warnings = (logger: RecordingLogger) => logger.lines.filter(({ level }) => level === 'warn' || level === 'error');

describe('a Redis Cluster of three masters', () => {
  let cluster: RedisClusterServers;
  beforeAll(async () => {
    cluster = await RedisClusterServers.start();
  }, 30_000);
  afterAll(() => cluster.stop());

  it.each([
    ['from options', () => ({ cluster: cluster.nodes })],
    ['from a connection', () => new Cluster(cluster.nodes)],
  ])(
    '%s runs whole workflows; the keys of a run share a slot',
    async (_name, connect) => {
      const redis = connect();
      if (redis instanceof Cluster) closing.push(() => redis.quit());
      const { client, logger, prefix } = await startApp(redis);
      await runOneOfEach(client);
      expect(warnings(logger)).toEqual([]);
      const keys = await cluster.onEach((node) => node.keys(`${prefix}:*`));
      expect(keys.filter((list) => list.length > 0).length).toBeGreaterThan(1);
      expect(keys.flat().filter((key) => /\{/.test(key)).length).toBeGreaterThan(0);
    },
    60_000,
  );

  it('warns of a policy that evicts', async () => {
    await cluster.onEach((node) => node.config('SET', 'maxmemory-policy', 'allkeys-lru'));
    const { logger } = await startApp({ cluster: cluster.nodes });
    await cluster.onEach((node) => node.config('SET', 'maxmemory-policy', 'noeviction'));
    expect(warnings(logger)).toEqual([{ level: 'warn', message: expect.stringContaining('allkeys-lru') }]);
  }, 60_000);
});

describe('Redis with a sentinel', () => {
  it('runs whole workflows, also after the master was lost', async () => {
    const servers = await RedisSentinelServers.start();
    closing.push(() => servers.stop());
    const sentinels = [{ host: '127.0.0.1', port: servers.sentinel.port }];
    const { client } = await startApp({ sentinels, name: RedisSentinelServers.masterName });
    await runOneOfEach(client);
    await servers.master.kill();
    await runOneOfEach(client);
    const redis = new Redis(servers.replica.port);
    expect(await redis.role()).toContain('master');
    redis.disconnect();
  }, 90_000);
});
