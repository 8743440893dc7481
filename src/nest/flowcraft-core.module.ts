import { Module, type Provider } from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { createEmbeddedDrivers, type Drivers } from '../composition/embedded-drivers.js';
import { createServerDrivers } from '../composition/server-drivers.js';
import { ConfigurationError } from '../core/errors.js';
import { SystemClock } from '../drivers/system/system-clock.js';
import { SystemIds } from '../drivers/system/system-ids.js';
import type { Clock, Ids } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import { EngineHost } from './engine-host.js';
import { FlowcraftClient } from './flowcraft-client.js';
import { FlowcraftHealth } from './flowcraft-health.js';
import { FlowcraftReconciler } from './flowcraft-reconciler.js';
import { FlowcraftWorker } from './flowcraft-worker.js';
import { NestLoggerBridge } from './nest-logger.js';
import { serverProviders } from './server-providers.js';
import { warningsOf } from './option-warnings.js';
import { settingsOf, type FlowcraftSettings } from './settings.js';
import { ShutdownHookCheck } from './shutdown-hook-check.js';
import { SweepSchedule } from './sweep-schedule.js';
import {
  FLOWCRAFT_CLOCK,
  FLOWCRAFT_DRIVERS,
  FLOWCRAFT_IDS,
  FLOWCRAFT_KAFKA_OPTIONS,
  FLOWCRAFT_LOGGER,
  FLOWCRAFT_SETTINGS,
} from './tokens.js';
import { FlowcraftWebhooks } from './webhooks/flowcraft-webhooks.js';

const providers: Provider[] = [
  { provide: FLOWCRAFT_SETTINGS, useFactory: settingsOf, inject: [FLOWCRAFT_KAFKA_OPTIONS] },
  { provide: FLOWCRAFT_CLOCK, useClass: SystemClock },
  { provide: FLOWCRAFT_IDS, useClass: SystemIds },
  { provide: FLOWCRAFT_LOGGER, useClass: NestLoggerBridge },
  {
    provide: FLOWCRAFT_DRIVERS,
    useFactory: connectedDrivers,
    inject: [FLOWCRAFT_SETTINGS, FLOWCRAFT_CLOCK, FLOWCRAFT_IDS, FLOWCRAFT_LOGGER],
  },
  ...serverProviders,
  FlowcraftClient,
  FlowcraftWorker,
  FlowcraftReconciler,
  FlowcraftHealth,
  FlowcraftWebhooks,
];

/** Holds everything that an application can inject. */
@Module({
  imports: [DiscoveryModule],
  providers: [...providers, EngineHost, SweepSchedule, ShutdownHookCheck],
  exports: [...providers, EngineHost, SweepSchedule, ShutdownHookCheck],
})
export class FlowcraftCoreModule {
  constructor(modules: ModulesContainer) {
    const count = [...modules.values()].filter((module) => module.metatype === FlowcraftCoreModule).length;
    if (count > 1) {
      const message = `is imported ${count} times with forRoot() or forRootAsync(); import it once, and use forFeature() in other modules`;
      throw new ConfigurationError([{ path: 'FlowcraftKafkaModule', message }]);
    }
  }
}

/** @throws ConnectError if a server cannot be reached in `connectTimeoutMs` */
async function connectedDrivers(settings: FlowcraftSettings, clock: Clock, ids: Ids, logger: Logger): Promise<Drivers> {
  const { servers, encryption } = settings;
  for (const warning of warningsOf(settings)) logger.warn(warning);
  const environment = { clock, ids, logger };
  const drivers = servers
    ? createServerDrivers(servers, environment)
    : createEmbeddedDrivers(environment, undefined, encryption);
  try {
    await drivers.connect();
  } catch (error) {
    await drivers
      .close()
      .catch((reason: unknown) => logger.debug('What was connected did not close.', { error: reason }));
    throw error;
  }
  return drivers;
}
