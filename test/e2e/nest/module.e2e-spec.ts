import { ScheduleModule } from '@nestjs/schedule';
import type { Client } from 'cassandra-driver';
import type { NodeContext } from 'flowcraft';
import type { Redis } from 'ioredis';
import type { Kafka } from 'kafkajs';
import { randomUUID } from 'node:crypto';
import {
  CassandraContextFactory,
  FLOWCRAFT_CASSANDRA,
  FLOWCRAFT_KAFKA,
  FLOWCRAFT_REDIS,
  FlowcraftClient,
  FlowcraftHealth,
  FlowcraftKafkaModule,
  FlowcraftReconciler,
  FlowcraftWorker,
  KafkaAdapter,
  RedisCoordinationStore,
  type FlowcraftKafkaOptions,
} from '../../../src/index.js';
import { blueprint } from '../../support/blueprints.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { eventually } from '../../support/kafka-fixture.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const name = `nest_${randomUUID().slice(0, 8)}`;
const adapters: unknown[] = [];

const options: FlowcraftKafkaOptions = {
  kafka: { brokers: (process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092').split(',') },
  cassandra: {
    contactPoints: (process.env['CASSANDRA_CONTACT_POINTS'] ?? '127.0.0.1').split(','),
    localDataCenter: process.env['CASSANDRA_DATACENTER'] ?? 'datacenter1',
  },
  redis: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
  topicName: name,
  groupId: name,
  keyspace: name,
  redisKeyPrefix: name,
  provision: { partitions: 3, topicReplication: 1 },
  runtime: {
    registry: {
      step: async ({ input, dependencies }: NodeContext) => {
        adapters.push(dependencies['adapter']);
        return { output: `${String(input)}!` };
      },
      // as any process may that has the id of the run
      approve: async ({ dependencies }: NodeContext) => {
        const { runId } = dependencies['turn'] as { runId: string };
        const run = (dependencies['adapter'] as KafkaAdapter).createContext(runId);
        await run.set('approved', true);
        await run.delete('open');
        return {};
      },
      look: async ({ context }: NodeContext) => ({
        output: [await context.get('approved'), await context.has('open')],
      }),
    },
    blueprints: {
      chain: blueprint('chain', 'a>b'),
      approval: blueprint('approval', 'a>b b>c', { a: { uses: 'approve' }, c: { uses: 'look' } }),
    },
  },
};

describe('FlowcraftKafkaModule with servers', () => {
  it('runs workflows, offers adapter, stores and clients, and leaves no socket open', async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((resource) => resource.startsWith('TCP')).length;
    await eventually(() => sockets() === 0); // those of an earlier file in this process may still be closing
    const logger = new RecordingLogger();
    const root = rootModule([
      ScheduleModule.forRoot(),
      FlowcraftKafkaModule.forRootAsync({ useFactory: async () => options }),
    ]);
    const app = await builderOf(root, logger).compile();
    await app.init();
    const client = app.get(FlowcraftClient);
    const { runId } = await client.start('chain', { given: 1 }, { tags: ['e2e'] });
    const outcome = await client.waitForWorkflow(runId);
    expect(outcome).toMatchObject({ status: 'completed', result: { context: { given: 1, b: 'undefined!!' } } });
    expect(app.get(FlowcraftHealth).check()).toMatchObject({ status: 'up', consumer: 'consuming' });
    expect(await app.get(FlowcraftReconciler).run()).toMatchObject({ failedRuns: 0 });

    const adapter = app.get(KafkaAdapter);
    expect(adapters).toEqual([adapter, adapter]);
    await adapter.ready();
    expect(await adapter.reconcile(runId)).toEqual(new Set());
    const context = { given: 1, b: 'undefined!!' };
    expect(await app.get(CassandraContextFactory).create(runId).toJSON()).toMatchObject(context);
    expect(await adapter.createContext(runId).toJSON()).toMatchObject(context);

    const approval = await client.start('approval', { open: 1 });
    const { result } = await client.waitForWorkflow(approval.runId);
    expect(result?.context).toMatchObject({ approved: true, c: [true, false] });
    expect(result?.context).not.toHaveProperty('open');

    const store = app.get(RedisCoordinationStore);
    expect(await store.setIfNotExist(`${name}:test`, 'x', 60)).toBe(true);
    const redis = app.get<Redis>(FLOWCRAFT_REDIS);
    expect(await redis.get(`${name}:test`)).toBe('x');
    const keys = await redis.keys(`${name}*`);
    await redis.del(...keys);
    const admin = app.get<Kafka>(FLOWCRAFT_KAFKA).admin();
    await admin.connect();
    expect(await admin.listTopics()).toContain(name);

    await app.get(FlowcraftWorker).drain();
    await admin.deleteTopics({ topics: [name, `${name}.dead`] });
    await admin.disconnect();
    await app.get<Client>(FLOWCRAFT_CASSANDRA).execute(`DROP KEYSPACE ${name}`);
    await app.close();
    expect(sockets()).toBe(0);
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  }, 60_000);
});
