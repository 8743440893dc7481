/** This package, as an application uses it: a NestJS application a worker, another one for the client. */
import 'reflect-metadata';
import { createRequire } from 'node:module';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowcraftClient, FlowcraftKafkaModule, FlowcraftReconciler } from '../../dist/index.js';
import { blueprintOf, GRAPHS } from '../graphs.mjs';
import { registryOf, Stamps } from '../nodes.mjs';
import { Fleet } from '../fleet.mjs';
import { ADDRESSES, cassandraOptions } from '../settings.mjs';

// the copies that the package uses
const require = createRequire(new URL('../../package.json', import.meta.url));
const { Client } = require('cassandra-driver');
const { Redis } = require('ioredis');
const { Kafka, logLevel } = require('kafkajs');

function applicationOf({ name, concurrency, emitDelayMs, tuning, options = {}, graphs = GRAPHS }, role, stamps) {
  const isWorker = role === 'worker';
  const module = FlowcraftKafkaModule.forRoot({
    kafka: { brokers: ADDRESSES.kafka.split(','), logLevel: logLevel.NOTHING },
    cassandra: cassandraOptions(),
    redis: ADDRESSES.redis,
    topicName: name,
    groupId: `${name}_workers`,
    keyspace: name,
    redisKeyPrefix: name,
    runtime: {
      registry: registryOf(stamps),
      blueprints: Object.fromEntries(graphs.map((graph) => [graph.id, blueprintOf(graph)])),
    },
    worker: {
      enabled: isWorker,
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(emitDelayMs === undefined ? {} : { emitDelayMs }),
    },
    reconciler: { enabled: isWorker },
    limits: { maxTurnsPerRun: 1_000_000, maxValueBytes: 16 * 1024 * 1024 },
    ...(tuning ? { tuning } : {}),
    ...options,
  });
  class Application {}
  Module({ imports: [module] })(Application);
  return NestFactory.createApplicationContext(Application, { logger: ['error'], abortOnError: false });
}

export async function startWorker(config, stamps) {
  const app = await applicationOf(config, 'worker', stamps);
  return () => app.close();
}

export const title = 'this package';
export const durability = 'Kafka acks all, Cassandra commit log, Redis as accelerator';

export async function open({
  name,
  concurrency,
  emitDelayMs,
  workers = 1,
  execArgv = [],
  tuning,
  options,
  count,
  graphs,
  startFleet = true,
}) {
  const config = { name, concurrency, emitDelayMs, tuning, options, count, graphs };
  const app = await applicationOf(config, 'client', new Stamps());
  const client = app.get(FlowcraftClient);
  const launch = (count = workers, { execArgv: args = execArgv, ...own } = {}) =>
    Fleet.start('flowcraft-kafka', { ...config, ...own }, { workers: count, execArgv: args });
  let fleet = startFleet ? await launch() : undefined;
  return {
    client,
    name,
    get fleet() {
      return fleet;
    },
    /** Resolves with the run's outcome. */
    async run(graph, input = {}, timeoutMs = 600_000) {
      const { runId } = await client.start(graph.id, input);
      this.submittedAt = performance.now();
      const outcome = await client.waitForWorkflow(runId, { timeoutMs });
      if (outcome.status !== 'completed') throw new Error(`Run ${runId} of '${graph.id}' is ${outcome.status}.`);
      return { runId };
    },
    /** Resolves when the run waits. */
    async hold(graph, timeoutMs = 600_000) {
      const { runId } = await client.start(graph.id);
      const { status } = await client.waitForWorkflow(runId, { timeoutMs, until: 'settled' });
      if (status !== 'awaiting') throw new Error(`Run ${runId} of '${graph.id}' is ${status}.`);
    },
    sweep: () => app.get(FlowcraftReconciler).run(),
    /** @param own settings of these workers */
    async resize(count, own) {
      await fleet?.stop();
      fleet = count === 0 ? undefined : await launch(count, own);
    },
    async close() {
      await fleet?.stop();
      await app.close();
      await removeAll(name);
    },
  };
}

async function removeAll(name) {
  const admin = new Kafka({ brokers: ADDRESSES.kafka.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [name, `${name}.dead`] });
  await admin.deleteGroups([`${name}_workers`]).catch(() => undefined); // the broker may not have noticed yet that it is empty
  await admin.disconnect();
  const cassandra = new Client({ ...cassandraOptions(), socketOptions: { readTimeout: 60_000 } });
  await cassandra.connect();
  await cassandra.execute(`DROP KEYSPACE IF EXISTS ${name}`);
  await cassandra.shutdown();
  await removeKeys(new Redis(ADDRESSES.redis), name);
}

export async function removeKeys(redis, prefix) {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1000 }))
    if (keys.length > 0) await redis.unlink(keys);
  redis.disconnect();
}
