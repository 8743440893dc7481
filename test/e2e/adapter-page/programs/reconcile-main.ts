// What the page leaves out of its reconcile script: "Assume 'adapter' and 'cassandraClient' are initialized just like in
// your worker". Closes these clients when it is told so; then nothing may keep the process alive.
import { once } from 'node:events';
import { Client as CassandraClient } from 'cassandra-driver';
import IORedis from 'ioredis';
import { Kafka } from 'kafkajs';
import { KafkaAdapter, RedisCoordinationStore } from 'nestjs-flowcraft-kafka';
import { agentNodeRegistry, blueprints } from './shared';

const kafka = new Kafka({ clientId: 'flowcraft-reconcile-app', brokers: process.env.KAFKA_BROKERS.split(',') });
const cassandraClient = new CassandraClient({
  contactPoints: process.env.CASSANDRA_CONTACT_POINTS.split(','),
  localDataCenter: process.env.CASSANDRA_DATACENTER,
});
await cassandraClient.connect();
const redisConnection = new IORedis(process.env.REDIS_URL);
const adapter = new KafkaAdapter({
  kafka,
  cassandraClient,
  coordinationStore: new RedisCoordinationStore(redisConnection),
  topicName: 'flowcraft-jobs',
  groupId: 'flowcraft-worker-group',
  keyspace: 'flowcraft_ks',
  contextTableName: 'contexts',
  statusTableName: 'statuses',
  runtimeOptions: { registry: agentNodeRegistry, blueprints },
});

Object.assign(globalThis, { adapter, cassandraClient });
await import('./reconcile');

await once(process.stdin, 'data');
process.stdin.destroy();
await new Promise((resolve) => setTimeout(resolve, 1500)); // the adapter lets go a second after the reconciliation
await cassandraClient.shutdown();
await redisConnection.quit();
