import { z } from 'zod';
import { brokerProblem, isPort, redisAddressProblem } from './address-check.js';
import { plainObject } from './option-parts.js';

/** What the options of each server may be, in words. */
export const CONNECTIONS = {
  kafka: "kafkajs' options, or a Kafka instance",
  cassandra: "cassandra-driver's options, or a Client",
  redis: "a redis:// URL, ioredis' options, or a connection",
} as const;

const CLUSTER_NODES = "must list at least one node, as [{ host: 'localhost', port: 6379 }]";

export const kafka = plainObject.superRefine((value, context) => {
  const { brokers, producer, consumer } = value as Record<string, unknown>;
  if (typeof producer === 'function' && typeof consumer === 'function') return;
  if (typeof brokers === 'function') return;
  if (Array.isArray(brokers) && brokers.length > 0 && brokers.every((b) => typeof b === 'string' && b.trim() !== '')) {
    for (const [index, broker] of (brokers as string[]).entries()) {
      const message = brokerProblem(broker);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['brokers', index], message });
    }
    return;
  }
  context.addIssue({
    code: 'custom',
    path: ['brokers'],
    message: "must list at least one broker, as ['localhost:9092']",
  });
});
export const cassandra = plainObject.superRefine((value, context) => {
  const { execute, cloud, contactPoints, localDataCenter } = value as Record<string, unknown>;
  if (typeof execute === 'function' || cloud !== undefined) return;
  if (!Array.isArray(contactPoints) || contactPoints.length === 0 || contactPoints.some((p) => typeof p !== 'string'))
    context.addIssue({
      code: 'custom',
      path: ['contactPoints'],
      message: "must list at least one host, as ['localhost']",
    });
  if (typeof localDataCenter !== 'string' || localDataCenter === '')
    context.addIssue({
      code: 'custom',
      path: ['localDataCenter'],
      message: "must name the data centre of the contact points, as 'datacenter1'",
    });
});
export const redis = z.custom<object | string>().superRefine((value, context) => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { cluster, defineCommand, port } = value as Record<string, unknown>;
    if (typeof defineCommand === 'function') return;
    if (port !== undefined && !isPort(Number(port)))
      context.addIssue({ code: 'custom', path: ['port'], message: 'must be a port, 1 to 65535' });
    if (cluster === undefined) return;
    if (!Array.isArray(cluster) || cluster.length === 0)
      context.addIssue({ code: 'custom', path: ['cluster'], message: CLUSTER_NODES });
    return;
  }
  const message = typeof value === 'string' ? redisAddressProblem(value) : `must be ${CONNECTIONS.redis}`;
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});
