/** Apache Kafka as one local process: broker and KRaft controller together. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { StackError } from './errors.mjs';
import { kafkaAnswers } from './health.mjs';
import { ensureJars } from './maven.mjs';
import { run } from './run.mjs';
import { HOST } from './settings.mjs';

/** Every stack has a data directory of its own, so the id may be the same in all. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg';
const FORMAT_TIMEOUT_MS = 60_000;

export function createKafka(settings) {
  const { ports } = settings;
  const dir = path.join(settings.dir, 'kafka');
  const dataDir = path.join(dir, 'data');
  const config = path.join(dir, 'server.properties');
  const logging = path.join(dir, 'log4j2.properties');
  const jars = path.join(settings.jarsDir ?? settings.dir, 'kafka');
  const classPath = path.join(jars, 'lib', '*');
  const { properties = '', formatArgs = [] } = settings.additions?.kafka ?? {};

  return {
    name: 'kafka',
    dir,
    dataDir,
    port: ports.kafka,
    ports: [
      { port: ports.kafka, purpose: 'clients', variable: 'STACK_KAFKA_PORT' },
      { port: ports.kafkaController, purpose: 'controller', variable: 'STACK_KAFKA_CONTROLLER_PORT' },
    ],
    isReady: () => kafkaAnswers(ports.kafka),
    install: ({ mvn }) => ensureJars({ name: 'kafka', serverDir: jars, mvn }),

    async configure({ java }) {
      mkdirSync(dataDir, { recursive: true });
      // of a property that is there twice the last one counts
      writeFileSync(config, serverProperties(ports, dataDir) + properties);
      writeFileSync(logging, LOGGING);
      if (existsSync(path.join(dataDir, 'meta.properties'))) return;
      const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', config, ...formatArgs];
      const args = ['-Xmx128m', '-cp', classPath, ...format];
      const { code, output } = await run(java, args, { timeoutMs: FORMAT_TIMEOUT_MS });
      if (code !== 0)
        throw new StackError(`kafka: formatting ${dataDir} failed (exit code ${code}):\n${output.trim()}`);
    },

    command: ({ java }) => ({
      command: java,
      args: [
        '-Xms256m',
        `-Xmx${settings.kafkaHeap}`,
        '-XX:+ExitOnOutOfMemoryError',
        '-Djava.awt.headless=true',
        `-Dlog4j2.configurationFile=${pathToFileURL(logging)}`,
        '-cp',
        classPath,
        'kafka.Kafka',
        config,
      ],
    }),
  };
}

/** One broker, so every internal topic has one replica. Few partitions and small buffers keep it quick and light. */
function serverProperties(ports, dataDir) {
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@${HOST}:${ports.kafkaController}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://${HOST}:${ports.kafka},CONTROLLER://${HOST}:${ports.kafkaController}
advertised.listeners=PLAINTEXT://${HOST}:${ports.kafka}
log.dirs=${dataDir}

# Topics are made by the application, a misspelt name has to fail.
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Consumer groups form at once, and tests may use short sessions.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000

# A broker that was killed may come back at once.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000

log.retention.hours=24
log.segment.bytes=67108864
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
`;
}

const LOGGING = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`;
