import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { ConfigurationError, TopicMissingError, UnavailableError } from '../../core/errors.js';
import type { Logger } from '../../ports/logger.js';
import type { KafkaClient } from './kafka-client.js';
import { isRefusal, isTopicMissing, protocolErrorOf, reasonOf } from './kafka-errors.js';

const POLL_MS = 100;
/** Lets the broker decide. */
export const BROKER_DEFAULT = -1;
const MAX_FALLBACK_REPLICATION = 3;

export type TopicProvision = 'create' | 'verify' | 'off';

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  /** `BROKER_DEFAULT`: as the broker is configured. */
  readonly replicationFactor: number;
  /** Topic settings of Kafka, as `{ 'retention.ms': '604800000' }`. */
  readonly config: Readonly<Record<string, string>>;
}

/**
 * Creates or verifies the topics. An existing topic is left as it is.
 *
 * @throws TopicMissingError if a topic is missing and may not be created
 * @throws ConfigurationError if the brokers refuse: an option is wrong, or a right is missing
 * @throws UnavailableError if the brokers do not answer
 */
export async function provisionTopics(
  client: KafkaClient,
  mode: TopicProvision,
  topics: readonly TopicSpec[],
  timeoutMs: number,
  logger: Logger,
): Promise<void> {
  if (mode === 'off') return;
  const deadline = Date.now() + timeoutMs;
  /** Brokers that are starting say so as well. */
  let tooFewBrokers: unknown;
  for (;;) {
    try {
      await client.withAdmin(Math.max(1, deadline - Date.now()), (admin) =>
        provision(admin, mode, topics, deadline, logger),
      );
      return;
    } catch (error) {
      if (error instanceof TopicMissingError) throw error;
      const isOver = Date.now() + POLL_MS >= deadline;
      if (isRefusal(error)) throw refused(mode, error);
      if (protocolErrorOf(error) === 'INVALID_REPLICATION_FACTOR') tooFewBrokers = error;
      // the last try has little time: what counts is what the brokers said when they had some
      if (isOver && tooFewBrokers !== undefined) throw refused(mode, tooFewBrokers);
      if (isOver) throw new UnavailableError('kafka', 'provisioning the topics', error);
      logger.debug('Provisioning the Kafka topics failed and is tried again', { error });
      await sleep(POLL_MS);
    }
  }
}

async function provision(
  admin: Admin,
  mode: 'create' | 'verify',
  topics: readonly TopicSpec[],
  deadline: number,
  logger: Logger,
): Promise<void> {
  for (const spec of topics) {
    if ((await partitionsOf(admin, spec.topic)) !== undefined) continue;
    if (mode === 'verify') throw new TopicMissingError(spec.topic);
    await create(admin, spec, logger);
    while (!(await hasLeaders(admin, spec.topic))) {
      if (Date.now() >= deadline) throw new Error(`The topic '${spec.topic}' has no leader on every partition yet.`);
      await sleep(POLL_MS);
    }
  }
}

function refused(mode: TopicProvision, error: unknown): ConfigurationError {
  const message = `Kafka refuses to ${mode} the topics: ${reasonOf(error)}. Change the options or the rights, or create the topics yourself and set this to 'verify'.`;
  return new ConfigurationError([{ path: 'provision.topic', message }]);
}

/** Another process may create it at the same time: then kafkajs answers false, which is as good. */
async function create(admin: Admin, spec: TopicSpec, logger: Logger): Promise<void> {
  const topic = {
    topic: spec.topic,
    numPartitions: spec.partitions,
    replicationFactor: spec.replicationFactor,
    configEntries: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
  };
  try {
    const created = await admin.createTopics({ topics: [topic], waitForLeaders: false });
    if (created) logger.log(`Created the Kafka topic '${spec.topic}'`, { partitions: spec.partitions });
  } catch (error) {
    // brokers before 2.4 know no default
    if (spec.replicationFactor !== BROKER_DEFAULT || protocolErrorOf(error) !== 'INVALID_REPLICATION_FACTOR')
      throw error;
    const { brokers } = await admin.describeCluster();
    await create(admin, { ...spec, replicationFactor: Math.min(MAX_FALLBACK_REPLICATION, brokers.length) }, logger);
  }
}

async function hasLeaders(admin: Admin, topic: string): Promise<boolean> {
  const partitions = await partitionsOf(admin, topic);
  return partitions !== undefined && partitions.length > 0 && partitions.every((p) => p.leader >= 0);
}

async function partitionsOf(admin: Admin, topic: string): Promise<readonly { leader: number }[] | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics.find((t) => t.name === topic)?.partitions;
  } catch (error) {
    if (isTopicMissing(error)) return undefined;
    throw error;
  }
}
