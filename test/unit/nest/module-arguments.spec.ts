import type { DynamicModule } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, FlowcraftKafkaModule } from '../../../src/index.js';
import { builderOf, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const { forRoot, forRootAsync, forFeature } = FlowcraftKafkaModule as unknown as Record<
  'forRoot' | 'forRootAsync' | 'forFeature',
  (given?: unknown) => DynamicModule
>;
const node = async () => ({});

async function pathsOf(...imports: DynamicModule[]): Promise<string[]> {
  try {
    const app = await builderOf(rootModule(imports), new RecordingLogger()).compile();
    await app.init();
    await app.close();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(({ path }) => path);
  }
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
