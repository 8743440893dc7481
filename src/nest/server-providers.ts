import type { Provider } from '@nestjs/common';
import { DIContainer, JsonSerializer, ServiceTokens, type ISerializer, type RuntimeOptions } from 'flowcraft';
import { KafkaAdapter } from '../adapter/kafka-adapter.js';
import type { Drivers } from '../composition/embedded-drivers.js';
import type { ServerClients } from '../composition/server-drivers.js';
import { CassandraContext } from '../drivers/cassandra/cassandra-context.js';
import { RedisCoordinationStore } from '../drivers/redis/redis-coordination-store.js';
import type { Logger } from '../ports/logger.js';
import { AdapterOfHost } from './adapter-of-host.js';
import { CassandraContextFactory, ContextOfNoRun, type CassandraContextSource } from './cassandra-context-factory.js';
import { EngineHost } from './engine-host.js';
import type { FlowcraftSettings } from './settings.js';
import {
  FLOWCRAFT_CASSANDRA,
  FLOWCRAFT_DRIVERS,
  FLOWCRAFT_KAFKA,
  FLOWCRAFT_LOGGER,
  FLOWCRAFT_REDIS,
  FLOWCRAFT_SETTINGS,
} from './tokens.js';
import { methodsOf, unavailable } from './unavailable.js';

/** What there is only with servers. Embedded, each is a stand-in that says so when it is used. */
export const serverProviders: Provider[] = [
  client(FLOWCRAFT_KAFKA, 'FLOWCRAFT_KAFKA', (clients) => clients.kafka),
  client(FLOWCRAFT_CASSANDRA, 'FLOWCRAFT_CASSANDRA', (clients) => clients.cassandra),
  client(FLOWCRAFT_REDIS, 'FLOWCRAFT_REDIS', (clients) => clients.redis),
  {
    provide: RedisCoordinationStore,
    useFactory: ({ clients }: Drivers) =>
      clients
        ? new RedisCoordinationStore(clients.redis)
        : unavailable<RedisCoordinationStore>('RedisCoordinationStore', methodsOf(RedisCoordinationStore)),
    inject: [FLOWCRAFT_DRIVERS],
  },
  {
    provide: CassandraContextFactory,
    useFactory: (drivers: Drivers, settings: FlowcraftSettings) => {
      const source = contextSource(drivers, settings);
      return source
        ? new CassandraContextFactory(source)
        : unavailable<CassandraContextFactory>('CassandraContextFactory', methodsOf(CassandraContextFactory));
    },
    inject: [FLOWCRAFT_DRIVERS, FLOWCRAFT_SETTINGS],
  },
  {
    provide: CassandraContext,
    useFactory: (drivers: Drivers, settings: FlowcraftSettings) => {
      const source = contextSource(drivers, settings);
      if (source) return new ContextOfNoRun(source);
      const methods = methodsOf(CassandraContext);
      methods.delete('toJSON'); // whoever prints it
      return unavailable<CassandraContext>('CassandraContext', methods);
    },
    inject: [FLOWCRAFT_DRIVERS, FLOWCRAFT_SETTINGS],
  },
  {
    provide: KafkaAdapter,
    useFactory: (drivers: Drivers, settings: FlowcraftSettings, host: EngineHost, logger: Logger) => {
      const { clients } = drivers;
      const { servers } = settings;
      if (!clients || !servers) return unavailable<KafkaAdapter>('KafkaAdapter', methodsOf(KafkaAdapter));
      const { topicName, groupId, keyspace, contextTableName, statusTableName, redisKeyPrefix } = servers;
      const serializer = serializerOf(settings.runtime as RuntimeOptions | DIContainer);
      return new KafkaAdapter(
        {
          kafka: clients.kafka,
          cassandraClient: clients.cassandra,
          coordinationStore: new RedisCoordinationStore(clients.redis),
          ...{ topicName, groupId, keyspace, contextTableName, statusTableName, redisKeyPrefix },
          runtimeOptions: { serializer },
          limits: settings.engine.limits,
          ...(settings.engine.webhooks ? { webhooks: settings.engine.webhooks } : {}),
          cipher: drivers.cipher,
        },
        new AdapterOfHost(host, { ...drivers, clients }, logger),
      );
    },
    inject: [FLOWCRAFT_DRIVERS, FLOWCRAFT_SETTINGS, EngineHost, FLOWCRAFT_LOGGER],
  },
];

function client(token: symbol, name: string, of: (clients: ServerClients) => object): Provider {
  return {
    provide: token,
    useFactory: ({ clients }: Drivers) => (clients ? of(clients) : unavailable<object>(name, 'any')),
    inject: [FLOWCRAFT_DRIVERS],
  };
}

/** Undefined without servers. */
function contextSource(
  { clients, cipher }: Drivers,
  { servers, runtime, engine }: FlowcraftSettings,
): CassandraContextSource | undefined {
  if (!clients || !servers) return undefined;
  return {
    client: clients.cassandra,
    keyspace: servers.keyspace,
    tableName: servers.contextTableName,
    maxValueBytes: engine.limits.maxValueBytes,
    maxValueDepth: engine.limits.maxValueDepth,
    cipher,
    serializer: serializerOf(runtime as RuntimeOptions | DIContainer),
  };
}

/** That of the runtime, as the engine takes it. */
function serializerOf(runtime: RuntimeOptions | DIContainer): ISerializer {
  const given =
    runtime instanceof DIContainer
      ? runtime.has(ServiceTokens.Serializer)
        ? runtime.resolve<ISerializer>(ServiceTokens.Serializer)
        : undefined
      : runtime.serializer;
  return given ?? new JsonSerializer();
}
