/** Where the servers are, and names that no other run uses. */
import { randomBytes } from 'node:crypto';
import { DEFAULT_OPTIONS } from '../dist/composition/default-options.js';

const { env } = process;

export const ADDRESSES = {
  kafka: env.KAFKA_BROKERS ?? '127.0.0.1:9092',
  cassandra: env.CASSANDRA_CONTACT_POINTS ?? '127.0.0.1:9042',
  datacenter: env.CASSANDRA_DATACENTER ?? 'datacenter1',
  redis: env.REDIS_URL ?? 'redis://127.0.0.1:6379',
};

/** So many nodes a worker of every system executes at a time, unless a workload says otherwise. */
export const { concurrency: CONCURRENCY } = DEFAULT_OPTIONS.worker;

/** Of one benchmark run: topics, groups, keyspaces and keys begin so, and are removed at its end. */
export function uniqueName() {
  return `bench_${randomBytes(4).toString('hex')}`;
}

export function cassandraOptions() {
  const [host, port] = ADDRESSES.cassandra.split(':');
  return {
    contactPoints: [host],
    localDataCenter: ADDRESSES.datacenter,
    protocolOptions: { port: Number(port ?? 9042) },
  };
}
