/** Everything that the environment can change about the stack, read and checked in one place. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { StackError } from './errors.mjs';

export const HOST = '127.0.0.1';
export const DATACENTER = 'datacenter1';
export const SERVER_NAMES = ['kafka', 'cassandra', 'redis'];
export const ROOT = path.resolve(import.meta.dirname, '..', '..');

const DEFAULTS = {
  kafka: 9092,
  cassandra: 9042,
  redis: 6379,
  cassandraStorage: 17000,
  cassandraJmx: 7199,
};

/**
 * Two stacks live side by side when STACK_DIR and the three main ports differ:
 * the ports that only the servers themselves use follow from the main ones.
 */
export function readSettings(env) {
  const kafka = readPort(env, 'STACK_KAFKA_PORT', DEFAULTS.kafka);
  const cassandra = readPort(env, 'STACK_CASSANDRA_PORT', DEFAULTS.cassandra);
  const shift = cassandra - DEFAULTS.cassandra;
  const ports = {
    kafka,
    kafkaController: readPort(env, 'STACK_KAFKA_CONTROLLER_PORT', kafka + 1),
    cassandra,
    cassandraStorage: readPort(env, 'STACK_CASSANDRA_STORAGE_PORT', DEFAULTS.cassandraStorage + shift),
    cassandraJmx: readPort(env, 'STACK_CASSANDRA_JMX_PORT', DEFAULTS.cassandraJmx + shift),
    redis: readPort(env, 'STACK_REDIS_PORT', DEFAULTS.redis),
  };
  assertDistinct(ports);

  const dir = path.resolve(ROOT, env.STACK_DIR || '.stack');
  return {
    dir,
    runDir: path.join(dir, 'run'),
    logDir: path.join(dir, 'logs'),
    ports,
    forcedMode: readMode(env),
    composeProject: env.COMPOSE_PROJECT_NAME || (env.STACK_DIR ? composeProjectOf(dir) : undefined),
    javaHome: env.JAVA_HOME || undefined,
    kafkaHeap: env.STACK_KAFKA_HEAP || '512m',
    cassandraHeap: env.STACK_CASSANDRA_HEAP || '1g',
    redisMaxMemory: env.STACK_REDIS_MAXMEMORY || '512mb',
    readyTimeoutMs: readSeconds(env, 'STACK_READY_TIMEOUT_SECONDS', 120) * 1000,
    stopGraceMs: readSeconds(env, 'STACK_STOP_GRACE_SECONDS', 30) * 1000,
  };
}

/** What an application needs in its environment to use this stack. */
export function connectionLines({ ports }) {
  return [
    `KAFKA_BROKERS=${HOST}:${ports.kafka}`,
    `CASSANDRA_CONTACT_POINTS=${HOST}:${ports.cassandra}`,
    `CASSANDRA_DATACENTER=${DATACENTER}`,
    `REDIS_URL=redis://${HOST}:${ports.redis}`,
  ];
}

function readPort(env, name, fallback) {
  const text = env[name];
  const port = text ? Number(text) : fallback;
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port;
  throw new StackError(
    text
      ? `${name}=${text} is not a port. Give a whole number from 1 to 65535.`
      : `The port derived for ${name} is ${port}, which is not a port. Set ${name} yourself.`,
  );
}

function readSeconds(env, name, fallback) {
  const seconds = env[name] ? Number(env[name]) : fallback;
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new StackError(`${name}=${env[name]} is not a number of seconds above 0.`);
}

function readMode(env) {
  const mode = env.FLOWCRAFT_STACK || undefined;
  if (mode === undefined || mode === 'docker' || mode === 'local') return mode;
  throw new StackError(`FLOWCRAFT_STACK=${mode} is not known. Use "docker" or "local", or leave it out.`);
}

function assertDistinct(ports) {
  const owners = new Map();
  for (const [owner, port] of Object.entries(ports)) {
    const other = owners.get(port);
    if (other) throw new StackError(`Port ${port} is given to both ${other} and ${owner}. Change one STACK_*_PORT.`);
    owners.set(port, owner);
  }
}

function composeProjectOf(dir) {
  return `flowcraft-stack-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`;
}
