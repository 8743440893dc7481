import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import type { NodeContext } from 'flowcraft';
import { FlowcraftClient, FlowcraftHealth, FlowcraftKafkaModule, FlowcraftReconciler, FLOWCRAFT_REDIS, KafkaAdapter, CassandraContextFactory, FLOWCRAFT_CASSANDRA } from '../../../src/index.js';
import { blueprint } from '../../support/blueprints.js';

let seen: unknown;
const step = async ({ input, dependencies }: NodeContext) => { seen = dependencies['adapter']; return { output: `${String(input)}!` }; };

it('smoke', async () => {
  const n = Date.now();
  @Module({ imports: [ScheduleModule.forRoot(), FlowcraftKafkaModule.forRoot({
    kafka: { brokers: ['127.0.0.1:9092'] }, cassandra: { contactPoints: ['127.0.0.1'], localDataCenter: 'datacenter1' }, redis: 'redis://127.0.0.1:6379',
    topicName: `nest-${n}`, groupId: `nest-${n}`, keyspace: `nest_${n}`, redisKeyPrefix: `nest${n}`,
    runtime: { registry: { step }, blueprints: { other: blueprint('chain', 'a>b') } } })] })
  class App {}
  const app = await Test.createTestingModule({ imports: [App] }).compile();
  await app.init();
  const client = app.get(FlowcraftClient);
  console.log(app.get(FlowcraftHealth).check());
  for (const id of ['chain', 'other']) {
    const { runId } = await client.start(id, { x: 1 });
    const outcome = await client.waitForWorkflow(runId);
    expect(outcome).toMatchObject({ status: 'completed', timedOut: false });
    console.log(JSON.stringify(outcome), await app.get(CassandraContextFactory).create(runId).toJSON());
  }
  expect(seen).toBe(app.get(KafkaAdapter));
  console.log(await app.get(FlowcraftReconciler).run());
  expect(await (app.get(FLOWCRAFT_REDIS) as any).ping()).toBe('PONG');
  await app.get(FLOWCRAFT_CASSANDRA).execute(`DROP KEYSPACE nest_${n}`);
  await app.close();
  console.log(process.getActiveResourcesInfo());
}, 60000);
