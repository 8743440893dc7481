import type { DynamicModule, INestApplicationContext, Provider, Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { createEmbeddedDrivers } from '../../src/composition/embedded-drivers.js';
import type { MemoryServers } from '../../src/drivers/memory/memory-servers.js';
import {
  FLOWCRAFT_DRIVERS,
  FLOWCRAFT_LOGGER,
  FlowcraftClient,
  type EncryptionSource,
  type RunOutcome,
} from '../../src/index.js';
import type { FlowcraftKafkaTestOptions } from '../../src/testing/index.js';
import { FlowcraftKafkaTestingModule } from '../../src/testing/index.js';
import { RecordingLogger } from './recording-logger.js';
import { SystemClock } from '../../src/drivers/system/system-clock.js';
import { SystemIds } from '../../src/drivers/system/system-ids.js';

type Imported = Type | DynamicModule;

/** The root module of a test, with these imports and providers. */
export function rootModule(imports: Imported[], providers: Provider[] = [], controllers: Type[] = []): Type {
  @Module({ imports, providers, controllers })
  class AppModule {}
  return AppModule;
}

/** A builder whose engine logs into `logger`, and works with `servers` if there are any. */
export function builderOf(
  root: Type,
  logger: RecordingLogger,
  servers?: MemoryServers,
  encryption?: EncryptionSource,
): TestingModuleBuilder {
  const builder = Test.createTestingModule({ imports: [root] }).setLogger(false as never);
  builder.overrideProvider(FLOWCRAFT_LOGGER).useValue(logger);
  if (servers) {
    const environment = { clock: new SystemClock(), ids: new SystemIds(), logger };
    const drivers = createEmbeddedDrivers(environment, servers, encryption);
    builder.overrideProvider(FLOWCRAFT_DRIVERS).useFactory({
      factory: async () => {
        await drivers.connect();
        return drivers;
      },
    });
  }
  return builder;
}

export interface TestApp {
  readonly app: INestApplicationContext;
  readonly client: FlowcraftClient;
  readonly logger: RecordingLogger;
  /** Starts a run and waits for its end. */
  readonly run: (blueprintId: string, context?: Record<string, unknown>) => Promise<RunOutcome>;
}

/** An embedded application with these providers, started. */
export async function startApp(
  options: FlowcraftKafkaTestOptions,
  {
    providers = [],
    imports = [],
    controllers = [],
    servers,
  }: { providers?: Provider[]; imports?: Imported[]; controllers?: Type[]; servers?: MemoryServers } = {},
): Promise<TestApp> {
  const logger = new RecordingLogger();
  const root = rootModule([FlowcraftKafkaTestingModule.forTest(options), ...imports], providers, controllers);
  const app = await builderOf(root, logger, servers, options.encryption).compile();
  await app.init();
  const client = app.get(FlowcraftClient);
  const run = async (blueprintId: string, context: Record<string, unknown> = {}) => {
    const { runId } = await client.start(blueprintId, context);
    return client.waitForWorkflow(runId, { timeoutMs: 10_000 });
  };
  return { app, client, logger, run };
}

/** A promise and what settles it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((r) => (resolve = r));
  return { promise, resolve };
}
