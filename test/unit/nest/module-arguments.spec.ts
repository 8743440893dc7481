import { Module, type DynamicModule } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, FlowcraftKafkaModule } from '../../../src/index.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const { forRoot, forRootAsync, forFeature } = FlowcraftKafkaModule as unknown as Record<
  'forRoot' | 'forRootAsync' | 'forFeature',
  (given?: unknown) => DynamicModule
>;
const node = async () => ({});

async function refusal(...imports: DynamicModule[]): Promise<ConfigurationError | undefined> {
  try {
    const app = await builderOf(rootModule(imports), new RecordingLogger()).compile();
    await app.init();
    await app.close();
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error;
  }
}

async function pathsOf(...imports: DynamicModule[]): Promise<string[]> {
  return ((await refusal(...imports))?.problems ?? []).map(({ path }) => path);
}

async function messageOf(...imports: DynamicModule[]): Promise<string | undefined> {
  return (await refusal(...imports))?.message;
}

describe('forRoot()', () => {
  it.each([undefined, null, 5, 'x', []])('refuses %j', async (given) => {
    expect(await pathsOf(forRoot(given))).toEqual(['(options)']);
  });
});

describe('forRootAsync()', () => {
  const useFactory = () => ({ embedded: true });
  class Options {
    createFlowcraftKafkaOptions() {
      return { embedded: true };
    }
  }

  it.each<[unknown, string[]]>([
    [undefined, ['forRootAsync()']],
    [{}, ['forRootAsync()']],
    [{ useFactory, useClass: Options }, ['forRootAsync()']],
    [{ useFactry: useFactory }, ['forRootAsync({ useFactry })', 'forRootAsync()']],
    [{ useFactory: { embedded: true }, inject: 'x' }, ['forRootAsync({ useFactory })', 'forRootAsync({ inject })']],
  ])('refuses %j', async (given, paths) => {
    expect(await pathsOf(forRootAsync(given))).toEqual(paths);
  });

  it('says where isGlobal belongs that a factory returns', async () => {
    const refused = messageOf(forRootAsync({ useFactory: () => ({ embedded: true, isGlobal: false }) }));
    expect(await refused).toContain('isGlobal: belongs beside useFactory');
    expect(await pathsOf(forRoot({ embedded: true, isGlobal: false }))).toEqual([]);
  });

  it('says what a class lacks that gives no options', async () => {
    class Nothing {}
    @Module({ providers: [Nothing], exports: [Nothing] })
    class Provides {}
    expect(await messageOf(forRootAsync({ useClass: Nothing }))).toContain(
      'forRootAsync({ useClass }): has no method createFlowcraftKafkaOptions()',
    );
    expect(await messageOf(forRootAsync({ imports: [Provides], useExisting: Nothing }))).toContain(
      'forRootAsync({ useExisting }): has no method createFlowcraftKafkaOptions()',
    );
  });

  it('takes a class whose method is a property, and hands it itself', async () => {
    class Held {
      readonly embedded = true;
      readonly createFlowcraftKafkaOptions = () => ({ embedded: this.embedded });
    }
    expect(await pathsOf(forRootAsync({ useClass: Held }))).toEqual([]);
    @Module({ providers: [Options], exports: [Options] })
    class Provides {}
    expect(await pathsOf(forRootAsync({ imports: [Provides], useExisting: Options }))).toEqual([]);
  });

  it('takes each of the three ways, and lists what is wrong with the options', async () => {
    expect(await pathsOf(forRootAsync({ useFactory }))).toEqual([]);
    expect(await pathsOf(forRootAsync({ useClass: Options, isGlobal: false }))).toEqual([]);
    expect(await pathsOf(forRootAsync({ useFactory: () => 5 }))).toEqual(['(options)']);
  });
});

describe('forFeature()', () => {
  const root = () => forRoot({ embedded: true });

  it('refuses what is wrong, all of it at once', async () => {
    const paths = await pathsOf(
      root(),
      forFeature(),
      forFeature({ blueprnts: [] }),
      forFeature({ blueprints: 5, nodes: 7 }),
      forFeature({ blueprints: [{ id: 'good', nodes: [], edges: [] }, { id: 'bad' }] }),
    );
    expect(paths.sort()).toEqual(
      [
        'forFeature()',
        'forFeature({ blueprnts })',
        'forFeature({ blueprints })',
        'forFeature({ nodes })',
        'forFeature({ blueprints })[1]',
      ].sort(),
    );
  });

  it('refuses to replace a built-in node type, which runtime.registry may', async () => {
    expect(await pathsOf(root(), forFeature({ nodes: { wait: node } }))).toEqual(["node type 'wait'"]);
    expect(await pathsOf(forRoot({ embedded: true, runtime: { registry: { webhook: node } } }))).toEqual([]);
  });

  it('refuses an application without forRoot()', async () => {
    expect(await pathsOf(forFeature({ nodes: { node } }))).toEqual(['forFeature()']);
  });
});
