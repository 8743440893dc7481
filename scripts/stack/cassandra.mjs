/** Apache Cassandra as one local process: a cluster of one node that does not wait for others. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { StackError } from './errors.mjs';
import { cassandraAnswers } from './health.mjs';
import { ensureJars } from './maven.mjs';
import { HOST } from './settings.mjs';

export function createCassandra(settings) {
  const { ports } = settings;
  const dir = path.join(settings.dir, 'cassandra');
  const dataDir = path.join(dir, 'data');
  const jars = path.join(settings.jarsDir ?? settings.dir, 'cassandra');
  const lib = path.join(jars, 'lib');
  const { yaml = '', args = [] } = settings.additions?.cassandra ?? {};
  const config = path.join(dir, 'cassandra.yaml');
  const logging = path.join(dir, 'logback.xml');

  return {
    name: 'cassandra',
    dir,
    dataDir,
    port: ports.cassandra,
    ports: [
      { port: ports.cassandra, purpose: 'clients', variable: 'STACK_CASSANDRA_PORT' },
      { port: ports.cassandraStorage, purpose: 'storage', variable: 'STACK_CASSANDRA_STORAGE_PORT' },
      { port: ports.cassandraJmx, purpose: 'jmx', variable: 'STACK_CASSANDRA_JMX_PORT' },
    ],
    isReady: () => cassandraAnswers(ports.cassandra),
    install: ({ mvn }) => ensureJars({ name: 'cassandra', serverDir: jars, mvn }),

    async configure() {
      mkdirSync(dataDir, { recursive: true });
      writeFileSync(config, cassandraYaml(ports, dataDir) + yaml);
      writeFileSync(logging, LOGGING);
    },

    command: ({ java }) => ({
      command: java,
      args: [
        `-Xms${settings.cassandraHeap}`,
        `-Xmx${settings.cassandraHeap}`,
        '-Xss512k',
        '-XX:+ExitOnOutOfMemoryError',
        // The default collector has threads that work beside the requests, for which few cores have no room.
        '-XX:+UseParallelGC',
        // Where the system has none, the virtual machine warns and goes on.
        '-XX:+UseTransparentHugePages',
        // A system call each time that a thread takes up other work.
        '-Dcassandra.set_sep_thread_name=false',
        // What Cassandra's own jvm17-server.options have.
        '-Dio.netty.tryReflectionSetAccessible=true',
        `-javaagent:${findJamm(lib)}`,
        '-Djdk.attach.allowAttachSelf=true',
        '-Djava.security.manager=allow',
        `-Dcassandra.config=${pathToFileURL(config)}`,
        `-Dcassandra.storagedir=${dataDir}`,
        `-Dcassandra.jmx.local.port=${ports.cassandraJmx}`,
        // Without this the daemon closes stdout, and with it the log.
        '-Dcassandra-foreground=yes',
        // There is nobody to gossip with.
        '-Dcassandra.skip_wait_for_gossip_to_settle=0',
        '-Dcassandra.ring_delay_ms=1',
        `-Dlogback.configurationFile=${logging}`,
        ...ADD_EXPORTS.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
        ...ADD_OPENS.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
        ...args,
        '-cp',
        path.join(lib, '*'),
        'org.apache.cassandra.service.CassandraDaemon',
      ],
    }),
  };
}

function findJamm(lib) {
  const jar = readdirSync(lib).find((file) => /^jamm-.*\.jar$/.test(file));
  if (jar) return path.join(lib, jar);
  throw new StackError(`cassandra: no jamm jar in ${lib}. Remove ${lib} and lib.sha256 beside it, then start again.`);
}

function cassandraYaml(ports, dataDir) {
  const inData = (name) => JSON.stringify(path.join(dataDir, name));
  return `cluster_name: flowcraft
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: '${HOST}:${ports.cassandraStorage}'
listen_address: ${HOST}
rpc_address: ${HOST}
storage_port: ${ports.cassandraStorage}
native_transport_port: ${ports.cassandra}

data_file_directories:
  - ${inData('data')}
commitlog_directory: ${inData('commitlog')}
saved_caches_directory: ${inData('saved_caches')}
hints_directory: ${inData('hints')}
cdc_raw_directory: ${inData('cdc_raw')}

commitlog_sync: periodic
commitlog_sync_period: 10000ms
commitlog_segment_size: 16MiB
commitlog_total_space: 1GiB
memtable_allocation_type: offheap_objects
memtable_offheap_space: 1GiB
auto_snapshot: false
`;
}

const LOGGING = `<configuration>
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{ISO8601} %-5level %msg \\(%logger{20}\\)%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="STDOUT"/></root>
</configuration>
`;

/** What Cassandra's own jvm17-server.options opens. */
const ADD_EXPORTS = [
  'java.base/jdk.internal.misc',
  'java.base/jdk.internal.ref',
  'java.base/sun.nio.ch',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.rmi/sun.rmi.transport.tcp',
  'java.sql/java.sql',
];
const ADD_OPENS = [
  'java.base/java.lang',
  'java.base/java.lang.module',
  'java.base/java.io',
  'java.base/java.nio',
  'java.base/java.util',
  'java.base/java.util.concurrent',
  'java.base/java.util.concurrent.atomic',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.util.jar',
  'java.base/jdk.internal.misc',
  'java.base/sun.nio.ch',
  'jdk.management/com.sun.management.internal',
];
