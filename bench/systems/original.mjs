/** npm @flowcraft/kafka-adapter with the client of its documentation, and the tables that its code uses. */
import { KafkaAdapter, RedisCoordinationStore } from '@flowcraft/kafka-adapter';
import cassandraDriver from 'cassandra-driver';
import { analyzeBlueprint, NullLogger } from 'flowcraft';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet } from '../fleet.mjs';
import { blueprintOf, GRAPHS } from '../graphs.mjs';
import { registryOf } from '../nodes.mjs';
import { ADDRESSES, cassandraOptions, uniqueName } from '../settings.mjs';

/** It tells nobody when a run ends: whoever wants to know asks for the status. */
const POLL_MS = 20;
const blueprints = Object.fromEntries(GRAPHS.map((graph) => [graph.id, blueprintOf(graph)]));

export const title = '@flowcraft/kafka-adapter';
export const durability = 'Kafka, Cassandra commit log';

async function connect() {
  const cassandra = new cassandraDriver.Client(cassandraOptions());
  await cassandra.connect();
  return { kafka: new Kafka({ brokers: ADDRESSES.kafka.split(','), logLevel: logLevel.NOTHING }), cassandra };
}

export async function startWorker({ name }, stamps) {
  const { kafka, cassandra } = await connect();
  const redis = new Redis(ADDRESSES.redis, { keyPrefix: `${name}:` });
  const adapter = new KafkaAdapter({
    kafka,
    cassandraClient: cassandra,
    coordinationStore: new RedisCoordinationStore(redis),
    topicName: name,
    groupId: `${name}_workers`,
    keyspace: name,
    contextTableName: 'contexts',
    statusTableName: 'statuses',
    runtimeOptions: {
      logger: new NullLogger(),
      registry: registryOf(stamps, ({ context }) => context?.runId ?? ''),
      blueprints,
    },
  });
  adapter.start();
  await sleep(4000); // it does not say when its consumer has joined, and misses what was sent before
  return async () => {
    await adapter.stop();
    await cassandra.shutdown();
    redis.disconnect();
  };
}

export async function open({ name, workers = 1 }) {
  const { kafka, cassandra } = await connect();
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: name, numPartitions: 12 }], waitForLeaders: true });
  await cassandra.execute(
    `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
  await cassandra.execute(`CREATE TABLE ${name}.contexts (run_id text PRIMARY KEY, context_data text)`);
  await cassandra.execute(
    `CREATE TABLE ${name}.statuses (run_id text PRIMARY KEY, status text, status_data text, updated_at timestamp)`,
  );
  const producer = kafka.producer();
  await producer.connect();
  const fleet = await Fleet.start('original', { name }, { workers });
  return {
    fleet,
    async run(graph, input = {}) {
      const runId = uniqueName();
      const context = JSON.stringify({ ...input, runId, blueprintVersion: '1' });
      const start = { prepare: true };
      await cassandra.execute(
        `INSERT INTO ${name}.contexts (run_id, context_data) VALUES (?, ?)`,
        [runId, context],
        start,
      );
      await cassandra.execute(
        `INSERT INTO ${name}.statuses (run_id, status, updated_at) VALUES (?, ?, ?)`,
        [runId, 'running', new Date()],
        start,
      );
      const { startNodeIds } = analyzeBlueprint(blueprints[graph.id]);
      const messages = startNodeIds.map((nodeId) => ({
        key: runId,
        value: JSON.stringify({ runId, blueprintId: graph.id, nodeId }),
      }));
      await producer.send({ topic: name, messages });
      for (;;) {
        const { rows } = await cassandra.execute(
          `SELECT status FROM ${name}.statuses WHERE run_id = ?`,
          [runId],
          start,
        );
        const status = rows[0]?.status;
        if (status === 'completed') return { runId };
        if (status !== 'running') throw new Error(`Run ${runId} of '${graph.id}' is ${status}.`);
        await sleep(POLL_MS);
      }
    },
    async close() {
      await fleet.stop();
      await producer.disconnect();
      await admin.deleteTopics({ topics: [name] });
      await admin.disconnect();
      await cassandra.execute(`DROP KEYSPACE ${name}`);
      await cassandra.shutdown();
      const { removeKeys } = await import('./flowcraft-kafka.mjs');
      await removeKeys(new Redis(ADDRESSES.redis), name);
    },
  };
}
