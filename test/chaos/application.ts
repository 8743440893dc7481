import 'reflect-metadata';
import { connect } from 'node:net';
import type { INestApplicationContext } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { NodeRegistry } from 'flowcraft';
import type { Drivers } from '../../src/composition/embedded-drivers.js';
import { createServerDrivers, type ServerDriversOptions } from '../../src/composition/server-drivers.js';
import {
  FLOWCRAFT_CLOCK,
  FLOWCRAFT_DRIVERS,
  FLOWCRAFT_IDS,
  FLOWCRAFT_LOGGER,
  FlowcraftKafkaModule,
  type Clock,
  type FlowcraftKafkaOptions,
  type Ids,
  type Logger,
} from '../../src/index.js';
import { FLOWCRAFT_SETTINGS } from '../../src/nest/tokens.js';
import { BLUEPRINTS } from './flows.js';
import type { WorkerSetup } from './protocol.js';

export function optionsOf(setup: WorkerSetup, registry: NodeRegistry): FlowcraftKafkaOptions {
  const { ports } = setup;
  return {
    kafka: {
      brokers: [setup.broker],
      clientId: setup.name,
      // brokers name their own address, so every connection is led through the proxy
      socketFactory: ({ onConnect }) => connect({ host: '127.0.0.1', port: ports.kafka }, onConnect),
    },
    cassandra: { contactPoints: [`127.0.0.1:${ports.cassandra}`], localDataCenter: 'datacenter1' },
    redis: `redis://127.0.0.1:${ports.redis}`,
    topicName: setup.topic,
    groupId: setup.topic,
    keyspace: setup.keyspace,
    redisKeyPrefix: setup.prefix,
    connectTimeoutMs: 120_000,
    provision: { partitions: 6 },
    runtime: { registry, blueprints: { ...BLUEPRINTS } },
    worker: { enabled: setup.takesJobs, ...setup.timing?.worker },
    ...(setup.timing ? { tuning: { kafka: { consumer: setup.timing.consumer } } } : {}),
    reconciler: {
      enabled: setup.takesJobs,
      cron: '*/5 * * * * *',
      stalledThresholdSeconds: setup.stalledThresholdSeconds,
    },
  };
}

/** The package as users run it, but that its drivers can be wrapped and that it logs where it is told. */
export async function openApplication(
  setup: WorkerSetup,
  registry: NodeRegistry,
  logger: Logger,
  wrap: (drivers: Drivers) => Drivers = (drivers) => drivers,
): Promise<INestApplicationContext> {
  @Module({ imports: [FlowcraftKafkaModule.forRoot(optionsOf(setup, registry))] })
  class ChaosModule {}
  const drivers = async (settings: { servers: ServerDriversOptions }, clock: Clock, ids: Ids) => {
    const made = createServerDrivers(settings.servers, { clock, ids, logger });
    await made.connect();
    return wrap(made);
  };
  const module = await Test.createTestingModule({ imports: [ChaosModule] })
    .setLogger(false as never)
    .overrideProvider(FLOWCRAFT_LOGGER)
    .useValue(logger)
    .overrideProvider(FLOWCRAFT_DRIVERS)
    .useFactory({ factory: drivers, inject: [FLOWCRAFT_SETTINGS, FLOWCRAFT_CLOCK, FLOWCRAFT_IDS] })
    .compile();
  module.enableShutdownHooks(['SIGTERM']);
  return module.init();
}
