// A worker in a process of its own, to be killed: `node ... crash-worker.ts`, named by its environment. It appends a line
// to a file when a node starts and when it ends; the node 'b2' never ends here.
import { appendFileSync } from 'node:fs';
import { Client } from 'cassandra-driver';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { KafkaAdapter } from '../../../src/adapter/kafka-adapter.js';
import { RedisCoordinationStore } from '../../../src/drivers/redis/redis-coordination-store.js';
import { crashFlow, crashRegistry } from './crash-flow.js';

const env = (name: string) => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set.`);
  return value;
};

const cassandraClient = new Client({
  contactPoints: env('CASSANDRA_CONTACT_POINTS').split(','),
  localDataCenter: env('CASSANDRA_DATACENTER'),
});
const adapter = new KafkaAdapter({
  kafka: new Kafka({ brokers: env('KAFKA_BROKERS').split(','), logLevel: logLevel.NOTHING }),
  cassandraClient,
  coordinationStore: new RedisCoordinationStore(new Redis(env('REDIS_URL'))),
  topicName: env('TOPIC'),
  groupId: env('GROUP'),
  keyspace: env('KEYSPACE'),
  contextTableName: 'contexts',
  statusTableName: 'statuses',
  redisKeyPrefix: env('PREFIX'),
  runtimeOptions: {
    registry: crashRegistry((line) => appendFileSync(env('FILE'), `${line}\n`), new Promise<void>(() => {})),
    blueprints: { [crashFlow.id]: crashFlow },
  },
});
adapter.start();
await adapter.ready();
console.log('ready');
