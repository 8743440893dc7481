import {
  ConfigurableModuleBuilder,
  Module,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  type InjectionToken,
  type Provider,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ConfigurationError } from '../core/errors.js';
import { FeatureRegistration, type FlowcraftFeature } from './feature-registration.js';
import { FlowcraftCoreModule } from './flowcraft-core.module.js';
import { FlowcraftLifecycleModule } from './flowcraft-lifecycle.module.js';
import { asyncProblems, isObject, optionsOf } from './module-arguments.js';
import type { FlowcraftKafkaModuleExtras, FlowcraftKafkaOptions, FlowcraftKafkaOptionsFactory } from './options.js';
import { FLOWCRAFT_KAFKA_OPTIONS } from './tokens.js';
import { webhookModule } from './webhooks/webhook-endpoint.js';

/** Options of `forRootAsync`: one of useFactory, useClass and useExisting, beside imports, inject and isGlobal. */
export type FlowcraftKafkaAsyncOptions = ConfigurableModuleAsyncOptions<
  FlowcraftKafkaOptions,
  keyof FlowcraftKafkaOptionsFactory
> &
  FlowcraftKafkaModuleExtras;

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<FlowcraftKafkaOptions>({
  optionsInjectionToken: FLOWCRAFT_KAFKA_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createFlowcraftKafkaOptions')
  .setExtras<FlowcraftKafkaModuleExtras>({ isGlobal: true }, (definition) => definition)
  .build();

/**
 * Runs flowcraft workflows in a NestJS application. Import it once with `forRoot()` or `forRootAsync()`; feature modules
 * add to it with `forFeature()`, or with `@FlowNode`, `@FlowBlueprint` and `@OnFlowEvent` on their providers.
 */
@Module({})
export class FlowcraftKafkaModule {
  /**
   * The application is refused with a ConfigurationError that lists every problem of the options, and with a
   * ConnectError if a server cannot be reached in time.
   */
  static forRoot(options: FlowcraftKafkaOptions & FlowcraftKafkaModuleExtras): DynamicModule {
    if (isObject(options))
      return assemble(ConfigurableModuleClass.forRoot(options), (options as FlowcraftKafkaModuleExtras).isGlobal);
    return assemble({ module: FlowcraftKafkaModule, providers: [optionsFrom(() => options)] });
  }

  /** As `forRoot()`, with options that are made from other providers. */
  static forRootAsync(options: FlowcraftKafkaAsyncOptions): DynamicModule {
    const problems = asyncProblems(options);
    if (problems.length === 0)
      return assemble(checked(ConfigurableModuleClass.forRootAsync(options), options), options.isGlobal);
    const refuse = () => {
      throw new ConfigurationError(problems);
    };
    return assemble({ module: FlowcraftKafkaModule, providers: [optionsFrom(refuse)] });
  }

  /**
   * Adds blueprints and node types; may be called by any number of modules. What is wrong with them refuses the
   * application, in one ConfigurationError.
   */
  static forFeature(feature: FlowcraftFeature): DynamicModule {
    const token = Symbol('flowcraft feature');
    return {
      module: FlowcraftKafkaModule,
      providers: [{ provide: token, useFactory: registrationOf(feature), inject: [ModulesContainer] }],
    };
  }
}

/** Says of a class that gives no options what it lacks. */
function checked(module: DynamicModule, { useClass, useExisting }: FlowcraftKafkaAsyncOptions): DynamicModule {
  const way = useClass ? 'useClass' : 'useExisting';
  const source = useClass ?? useExisting;
  if (!source) return module;
  const useFactory = (factory: unknown) => optionsOf(factory, way);
  const providers = (module.providers ?? []).map((provider) =>
    'provide' in provider && provider.provide === FLOWCRAFT_KAFKA_OPTIONS
      ? { provide: FLOWCRAFT_KAFKA_OPTIONS, useFactory, inject: [source as InjectionToken] }
      : provider,
  );
  return { ...module, providers };
}

function optionsFrom(useFactory: () => unknown): Provider {
  return { provide: FLOWCRAFT_KAFKA_OPTIONS, useFactory };
}

/** Without the core there is no engine, and the feature would be lost without a word. */
function registrationOf(feature: FlowcraftFeature): (modules: ModulesContainer) => FeatureRegistration {
  return (modules) => {
    if ([...modules.values()].some(({ metatype }) => metatype === FlowcraftCoreModule))
      return new FeatureRegistration(feature);
    const message = 'needs forRoot() or forRootAsync() in the application; import it once, in the root module';
    throw new ConfigurationError([{ path: 'forFeature()', message }]);
  };
}

/** The hooks of a global module run first at the start and last at the end: right for connections, wrong for a worker. */
function assemble({ imports, providers }: DynamicModule, isGlobal = true): DynamicModule {
  const core: DynamicModule = {
    module: FlowcraftCoreModule,
    global: isGlobal,
    imports: imports ?? [],
    providers: providers ?? [],
  };
  const lifecycle: DynamicModule = { module: FlowcraftLifecycleModule, imports: [core] };
  return { module: FlowcraftKafkaModule, imports: [core, lifecycle, webhookModule(core)], exports: [core] };
}
