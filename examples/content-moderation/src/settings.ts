import type { FlowcraftKafkaOptions } from 'nestjs-flowcraft-kafka';

type Connections = Pick<FlowcraftKafkaOptions, 'embedded' | 'kafka' | 'cassandra' | 'redis'>;

/** Without servers unless FLOWCRAFT_SERVERS=1. Every address has a default on this machine. */
export function connectionsFrom(env: NodeJS.ProcessEnv): Connections {
  if (!usesServers(env)) return { embedded: true };
  return {
    kafka: { brokers: (env['KAFKA_BROKERS'] ?? '127.0.0.1:9092').split(',') },
    cassandra: {
      contactPoints: (env['CASSANDRA_CONTACT_POINTS'] ?? '127.0.0.1').split(','),
      localDataCenter: env['CASSANDRA_DATACENTER'] ?? 'datacenter1',
    },
    redis: env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
  };
}

export function usesServers(env: NodeJS.ProcessEnv): boolean {
  return env['FLOWCRAFT_SERVERS'] === '1';
}

/** How long a check pretends to think, in milliseconds: it stands in for a call to a model. */
export function checkLatencyMs(env: NodeJS.ProcessEnv): number {
  return Number(env['CHECK_LATENCY_MS'] ?? 20);
}
