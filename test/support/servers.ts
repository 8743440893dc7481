import { randomUUID } from 'node:crypto';
import { Client } from 'cassandra-driver';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import type { FlowcraftKafkaOptions } from '../../src/index.js';
import { SOURCE } from './cassandra-fixture.js';
import { BROKERS } from './kafka-fixture.js';
import { REDIS_URL, removeKeys } from './redis-fixture.js';

/** Names on the shared servers that belong to one test alone, and what takes them away again. */
export interface Servers {
  readonly options: Omit<FlowcraftKafkaOptions, 'runtime'> & {
    topicName: string;
    keyspace: string;
    redisKeyPrefix: string;
  };
  remove(): Promise<void>;
}

export function openServers(purpose: string): Servers {
  const name = `${purpose}_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const options = {
    kafka: { brokers: BROKERS, clientId: name },
    cassandra: SOURCE,
    redis: REDIS_URL,
    topicName: name,
    groupId: name,
    keyspace: name,
    redisKeyPrefix: name,
    provision: { partitions: 4 },
  };
  return {
    options,
    remove: async () => {
      const admin = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).admin();
      const cassandra = new Client({ ...SOURCE, socketOptions: { readTimeout: 30_000 } });
      const redis = new Redis(REDIS_URL);
      await admin.connect();
      await admin.deleteTopics({ topics: [name, `${name}.dead`] });
      await admin.disconnect();
      await cassandra.execute(`DROP KEYSPACE IF EXISTS ${name}`);
      await cassandra.shutdown();
      await removeKeys(redis, name);
      await redis.quit();
    },
  };
}
