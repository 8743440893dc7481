import { Global, Injectable, Module, type DynamicModule } from '@nestjs/common';
import type { NodeContext } from 'flowcraft';
import {
  CassandraContextFactory,
  ConfigurationError,
  FLOWCRAFT_CASSANDRA,
  FLOWCRAFT_DRIVERS,
  FLOWCRAFT_KAFKA,
  FLOWCRAFT_REDIS,
  FlowcraftClient,
  FlowcraftKafkaModule,
  IllegalStateError,
  KafkaAdapter,
  RedisCoordinationStore,
  type FlowcraftKafkaOptions,
  type FlowcraftKafkaOptionsFactory,
} from '../../../src/index.js';
import { FlowcraftKafkaTestingModule } from '../../../src/testing/index.js';
import { blueprint } from '../../support/blueprints.js';
import { builderOf, rootModule, startApp } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const options: FlowcraftKafkaOptions = {
  embedded: true,
  runtime: {
    registry: { step: async ({ input }: NodeContext) => ({ output: `${String(input)}!` }) },
    blueprints: { chain: blueprint('chain', 'a>b') },
  },
};

@Injectable()
class OptionsFactory implements FlowcraftKafkaOptionsFactory {
  createFlowcraftKafkaOptions() {
    return options;
  }
}

@Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
class OptionsModule {}

async function resultOf(module: DynamicModule): Promise<unknown> {
  const app = await builderOf(rootModule([module]), new RecordingLogger()).compile();
  await app.init();
  const client = app.get(FlowcraftClient);
  const { runId } = await client.start('chain');
  const { result } = await client.waitForWorkflow(runId);
  await app.close();
  return result?.context['b'];
}

describe('FlowcraftKafkaModule', () => {
  it.each<[string, DynamicModule]>([
    ['forRoot', FlowcraftKafkaModule.forRoot(options)],
    ['forRootAsync with useFactory', FlowcraftKafkaModule.forRootAsync({ useFactory: async () => options })],
    [
      'forRootAsync with useFactory, imports and inject',
      FlowcraftKafkaModule.forRootAsync({
        imports: [OptionsModule],
        inject: [OptionsFactory],
        useFactory: (factory: OptionsFactory) => factory.createFlowcraftKafkaOptions(),
      }),
    ],
    ['forRootAsync with useClass', FlowcraftKafkaModule.forRootAsync({ useClass: OptionsFactory })],
    [
      'forRootAsync with useExisting',
      FlowcraftKafkaModule.forRootAsync({ imports: [OptionsModule], useExisting: OptionsFactory }),
    ],
    ['FlowcraftKafkaTestingModule.forTest', FlowcraftKafkaTestingModule.forTest({ runtime: options.runtime ?? {} })],
  ])('%s runs workflows', async (_name, module) => {
    expect(await resultOf(module)).toBe('undefined!!');
  });

  it('is visible in all modules, unless isGlobal is false', async () => {
    @Injectable()
    class Starter {
      constructor(readonly client: FlowcraftClient) {}
    }
    @Module({ providers: [Starter] })
    class Feature {}
    const isGlobal = false;
    const withModule = (module: DynamicModule) =>
      builderOf(rootModule([module, Feature]), new RecordingLogger()).compile();

    const app = await withModule(FlowcraftKafkaModule.forRoot(options));
    await app.close();
    await expect(withModule(FlowcraftKafkaModule.forRoot({ ...options, isGlobal }))).rejects.toThrow(/FlowcraftClient/);
    await expect(
      withModule(FlowcraftKafkaModule.forRootAsync({ useFactory: () => options, isGlobal })),
    ).rejects.toThrow(/FlowcraftClient/);
  });

  it('with isGlobal false is visible where it is imported, also through a module that exports it', async () => {
    const ours = FlowcraftKafkaModule.forRoot({ ...options, isGlobal: false });
    @Module({ imports: [ours], exports: [ours] })
    class Infrastructure {}
    @Injectable()
    class Starter {
      constructor(readonly client: FlowcraftClient) {}
    }
    @Module({ imports: [Infrastructure], providers: [Starter] })
    class Feature {}
    const app = await builderOf(rootModule([Feature]), new RecordingLogger()).compile();
    await app.init();
    expect(app.get(Starter).client).toBe(app.get(FlowcraftClient));
    await app.close();
  });

  it('refuses to be imported twice', async () => {
    @Global()
    @Module({ imports: [FlowcraftKafkaModule.forRoot(options)] })
    class Other {}
    const root = rootModule([FlowcraftKafkaModule.forRoot(options), Other]);
    const error: unknown = await builderOf(root, new RecordingLogger())
      .compile()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(/imported 2 times/);
  });
});

describe('what needs servers', () => {
  const uses: [string, unknown, (injected: never) => unknown][] = [
    ['KafkaAdapter', KafkaAdapter, (adapter: KafkaAdapter) => adapter.start()],
    ['RedisCoordinationStore', RedisCoordinationStore, (store: RedisCoordinationStore) => store.get('x')],
    ['CassandraContextFactory', CassandraContextFactory, (factory: CassandraContextFactory) => factory.create('x')],
    ['FLOWCRAFT_KAFKA', FLOWCRAFT_KAFKA, (kafka: { producer(): unknown }) => kafka.producer()],
    ['FLOWCRAFT_CASSANDRA', FLOWCRAFT_CASSANDRA, (client: { execute(): unknown }) => client.execute()],
    ['FLOWCRAFT_REDIS', FLOWCRAFT_REDIS, (redis: { get(): unknown }) => redis.get()],
  ];

  it.each(uses)('can be injected when embedded, and %s says on use why it cannot work', async (name, token, use) => {
    const consumer = {
      provide: 'consumer',
      useFactory: (injected: unknown) => ({ injected }),
      inject: [token as never],
    };
    const { app } = await startApp({}, { providers: [consumer] });
    const { injected } = app.get<{ injected: never }>('consumer');
    expect(() => use(injected)).toThrow(IllegalStateError);
    expect(() => use(injected)).toThrow(`${name} is not available with embedded: true`);
    await app.close();
  });

  it.each([FlowcraftClient, KafkaAdapter, FLOWCRAFT_KAFKA])(
    'can be replaced with overrideProvider: %p',
    async (token) => {
      const replacement = { mine: true };
      const app = await builderOf(rootModule([FlowcraftKafkaModule.forRoot(options)]), new RecordingLogger())
        .overrideProvider(token)
        .useValue(replacement)
        .compile();
      await app.init();
      expect(app.get<unknown>(token)).toBe(replacement);
      await app.close();
    },
  );

  it('is not even tried when the drivers are replaced', async () => {
    const { app: source } = await startApp({});
    const drivers = source.get<object>(FLOWCRAFT_DRIVERS);
    const { embedded: _, ...others } = options;
    const servers = {
      kafka: { brokers: ['x:1'] },
      cassandra: { contactPoints: ['x'], localDataCenter: 'd' },
      redis: 'redis://x',
    };
    const app = await builderOf(
      rootModule([FlowcraftKafkaModule.forRoot({ ...others, ...servers })]),
      new RecordingLogger(),
    )
      .overrideProvider(FLOWCRAFT_DRIVERS)
      .useValue(drivers)
      .compile();
    await app.init();
    await app.close();
    await source.close();
  });
});
