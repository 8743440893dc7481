import { Injectable, Module } from '@nestjs/common';
import { BaseNode, createFlow, DIContainer, ServiceTokens, type NodeContext } from 'flowcraft';
import {
  BlueprintNotFoundError,
  ConfigurationError,
  FlowBlueprint,
  FlowcraftKafkaModule,
  NodeImplementationMissingError,
} from '../../../src/index.js';
import { resolveBlueprint } from '../../../src/nest/blueprint-source.js';
import { blueprint } from '../../support/blueprints.js';
import { startApp, type TestApp } from '../../support/nest-app.js';

const says = (text: string) => async () => ({ output: text });
const after =
  (text: string) =>
  async ({ input }: NodeContext) => ({ output: `${String(input)} ${text}` });

let opened: TestApp | undefined;

async function start(...args: Parameters<typeof startApp>): Promise<TestApp> {
  opened = await startApp(...args);
  return opened;
}

afterEach(async () => {
  await opened?.app.close();
  opened = undefined;
});

describe('forFeature', () => {
  it('adds the blueprints and nodes of several feature modules, which may use those of one another', async () => {
    class Loud extends BaseNode {
      async exec(input: unknown) {
        return { output: String(input).toUpperCase() };
      }
    }
    @Module({
      imports: [
        FlowcraftKafkaModule.forFeature({
          blueprints: [blueprint('hello', 'a>b', { a: { uses: 'hello' }, b: { uses: 'loud' } })],
          nodes: { hello: says('hello') },
        }),
      ],
    })
    class Hello {}
    @Module({
      imports: [
        FlowcraftKafkaModule.forFeature({
          blueprints: { bye: blueprint('bye', 'a>b', { a: { uses: 'bye' }, b: { uses: 'loud' } }) },
          nodes: { bye: says('bye'), loud: Loud },
        }),
      ],
    })
    class Bye {}
    const { run } = await start({}, { imports: [Hello, Bye] });
    expect((await run('hello')).result?.context['b']).toBe('HELLO');
    expect((await run('bye')).result?.context['b']).toBe('BYE');
  });

  it('takes flows of createFlow() with the code of their nodes', async () => {
    const flow = createFlow('flow').node('a', says('one')).node('b', after('two')).edge('a', 'b');
    const { run } = await start({}, { imports: [FlowcraftKafkaModule.forFeature({ blueprints: [flow] })] });
    expect((await run('flow')).result?.context['b']).toBe('one two');
  });

  it('takes a blueprint under another name than its id', async () => {
    const feature = FlowcraftKafkaModule.forFeature({
      blueprints: { alias: blueprint('own', 'a', { a: { uses: 'says' } }) },
      nodes: { says: says('it') },
    });
    const { run, client } = await start({}, { imports: [feature] });
    const { runId } = await run('alias');
    expect((await client.getRun(runId)).blueprintId).toBe('alias');
    expect((await run('own')).status).toBe('completed');
    for (const blueprintId of ['alias', 'own'])
      expect((await client.listRuns({ blueprintId })).runs).toMatchObject([{ blueprintId }]);
  });

  it('keeps several versions of a blueprint, the last one being current', async () => {
    const version = (text: string, value: string) => ({
      ...blueprint('v', 'a', { a: { uses: value } }),
      metadata: { version: text },
    });
    const feature = FlowcraftKafkaModule.forFeature({
      blueprints: [version('1', 'one'), version('2', 'two')],
      nodes: { one: says('one'), two: says('two') },
    });
    const { client, run } = await start({}, { imports: [feature] });
    expect((await run('v')).result?.context['a']).toBe('two');
    const { runId } = await client.start('v', {}, { version: '1' });
    expect((await client.waitForWorkflow(runId)).result?.context['a']).toBe('one');
  });

  it('says where each of two blueprints stands that contradict, and which versions there are', async () => {
    const named = (version?: string, uses = 'step') => ({
      id: 'named',
      metadata: version === undefined ? {} : { version },
      nodes: [{ id: 'a', uses }],
      edges: [],
    });
    const registry = { step: async () => ({ output: 1 }), other: async () => ({ output: 2 }) };
    const runtime = { registry, blueprints: { one: named(), two: named(undefined, 'other') } };
    await expect(startApp({ runtime })).rejects.toThrow(/by runtime\.blueprints\.one and by runtime\.blueprints\.two;/);

    const feature = FlowcraftKafkaModule.forFeature({ blueprints: [named('1'), named('2'), named()] });
    const { app, client } = await startApp({ runtime: { registry } }, { imports: [feature] });
    await expect(client.start('named', {}, { version: '3' })).rejects.toThrow(
      "is not registered in version '3'. Add that version to runtime.blueprints or forFeature({ blueprints }), or start one of those that are registered: '1', '2', one without a version.",
    );
    await app.close();
  });

  it('refuses what contradicts, and what is no blueprint or node', async () => {
    const feature = (id: string) =>
      FlowcraftKafkaModule.forFeature({ blueprints: [blueprint('same', id)], nodes: { step: says(id) } });
    const wrong = FlowcraftKafkaModule.forFeature({
      blueprints: { no: { id: 'no' } as never },
      nodes: { what: 'text' as never },
    });
    const error: unknown = await startApp({}, { imports: [feature('a'), feature('b'), wrong] }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as ConfigurationError).problems.map((p) => `${p.path}: ${p.message}`)).toEqual([
      expect.stringMatching(/^node type 'step': is declared twice/),
      expect.stringMatching(/^blueprint 'same': is declared twice with different content/),
      expect.stringMatching(/'what' is neither a function nor a node class/),
      expect.stringMatching(/'no' is neither a blueprint nor a flow/),
    ]);
  });
});

describe('what the runtime holds and is no blueprint or node', () => {
  it('is named by its path', async () => {
    const runtime = { blueprints: { a: { id: 'a' } as never }, registry: { n: 'text' as never } };
    const error: unknown = await startApp({ runtime }).catch((reason: unknown) => reason);
    expect((error as ConfigurationError).problems).toEqual([
      { path: 'runtime.registry.n', message: 'is neither a function nor a node class' },
      { path: 'runtime.blueprints.a', message: 'is neither a blueprint nor a flow of createFlow()' },
    ]);
  });
});

describe('@FlowBlueprint', () => {
  it('on a class takes what build() gives, and what it injects can take part', async () => {
    @Injectable()
    class Names {
      readonly id = 'built';
    }
    @FlowBlueprint()
    @Injectable()
    class Built {
      constructor(private readonly names: Names) {}

      async build() {
        return createFlow(this.names.id).node('a', says('built'));
      }
    }
    const { run } = await start({}, { providers: [Names, Built] });
    expect((await run('built')).result?.context['a']).toBe('built');
  });

  it('on methods, properties and accessors takes each', async () => {
    class Three {
      @FlowBlueprint()
      readonly property = blueprint('property', 'a');

      @FlowBlueprint()
      get accessor() {
        return blueprint('accessor', 'a');
      }

      @FlowBlueprint()
      method() {
        return blueprint('method', 'a');
      }
    }
    const { run } = await start({ runtime: { registry: { step: says('x') } } }, { providers: [Three] });
    for (const id of ['property', 'accessor', 'method']) expect((await run(id)).status).toBe('completed');
  });

  it('refuses a provider that gives none, or fails', async () => {
    @FlowBlueprint()
    class Empty {}
    class Failing {
      @FlowBlueprint()
      method(): never {
        throw new Error('not today');
      }
    }
    const error: unknown = await startApp({}, { providers: [Empty, Failing] }).catch((reason: unknown) => reason);
    expect((error as Error).message).toMatch(/Empty \(AppModule\)\.build gives no blueprint/);
    expect((error as Error).message).toMatch(/Failing \(AppModule\)\.method failed: not today/);
  });
});

describe('the runtime', () => {
  it('may hold flows of createFlow()', async () => {
    const flow = createFlow('flow').node('a', says('flow'));
    const { run } = await start({ runtime: { blueprints: { flow } } });
    expect((await run('flow')).result?.context['a']).toBe('flow');
  });

  it('may be a DI container of flowcraft, beside forFeature', async () => {
    const container = new DIContainer();
    container.register(ServiceTokens.NodeRegistry, { step: says('contained') });
    container.register(ServiceTokens.BlueprintRegistry, { contained: blueprint('contained', 'a') });
    const feature = FlowcraftKafkaModule.forFeature({ blueprints: [blueprint('featured', 'a')] });
    const { run } = await start({ runtime: container }, { imports: [feature] });
    expect((await run('contained')).result?.context['a']).toBe('contained');
    expect((await run('featured')).result?.context['a']).toBe('contained');
  });
});

describe('blueprints.unknownNodes', () => {
  const blueprints = { odd: blueprint('odd', 'a>b', { b: { uses: 'nobody' } }) };
  const registry = { step: says('x') };

  it("'refuse' (the default) lets start() throw before anything is written", async () => {
    const { client, logger } = await start({ runtime: { blueprints, registry } });
    await expect(client.start('odd', {}, { runId: 'r1' })).rejects.toBeInstanceOf(NodeImplementationMissingError);
    expect((await client.listRuns()).runs).toEqual([]);
    expect(logger.lines.filter((l) => l.level === 'error').map((l) => l.message)).toEqual([
      expect.stringContaining("'nobody'"),
    ]);
  });

  it("'fail' lets the run start, and the node fail as in flowcraft", async () => {
    const { run } = await start({ runtime: { blueprints, registry }, blueprints: { unknownNodes: 'fail' } });
    const outcome = await run('odd');
    expect(outcome).toMatchObject({ status: 'failed', errors: [{ nodeId: 'b' }] });
    expect(outcome.errors?.[0]?.message).toBe("Implementation for 'nobody' not found.");
  });

  it('has nothing to do with blueprints that are not there', async () => {
    const { client } = await start({ blueprints: { unknownNodes: 'fail' } });
    await expect(client.start('none')).rejects.toBeInstanceOf(BlueprintNotFoundError);
  });
});

describe('the nodes of a flow', () => {
  it('have names that do not depend on what else the process has built', () => {
    const worker = says('worker');
    const build = () => {
      const flow = createFlow('f')
        .node('a', says('a'))
        .batch('b', worker, { inputKey: 'items', outputKey: 'out' })
        .edge('a', 'b')
        .wait('w');
      return resolveBlueprint(flow);
    };
    const first = build();
    createFlow('other').node('x', says('x'));
    const second = build();
    expect(second.blueprint).toEqual(first.blueprint);
    expect([...first.nodes.keys()]).toEqual(['f:a', 'f:b_scatter:worker']);
    expect(first.nodes.get('f:b_scatter:worker')).toBe(worker);
    expect(first.blueprint.nodes.map((n) => n.uses)).toEqual(['f:a', 'batch-scatter', 'batch-gather', 'wait']);
  });
});

describe('a blueprint that can never be meant', () => {
  const registry = { step: says('x') };

  it('is refused by start() with the node and the field, and said so when the application starts', async () => {
    const odd = blueprint('odd', 'a>b', { b: { config: { timeout: '1s' as never } } });
    const { client, logger } = await start({
      runtime: { blueprints: { odd, fine: blueprint('fine', 'a') }, registry },
    });
    const words = "Blueprint 'odd' can't be meant so: config.timeout of node 'b' must be a number of milliseconds";
    await expect(client.start('odd')).rejects.toThrow(words);
    expect((await client.listRuns()).runs).toEqual([]);
    expect(logger.lines.filter((l) => l.level === 'error').map((l) => l.message)).toEqual([
      expect.stringContaining(words),
    ]);
    await expect(client.start('fine')).resolves.toMatchObject({ existing: false });
  });

  it('may be one with a part that JSON cannot carry, which is named', async () => {
    const odd = { ...blueprint('odd', 'a'), metadata: { size: 5n } };
    const { client } = await start({ runtime: { blueprints: { odd }, registry } });
    await expect(client.start('odd')).rejects.toThrow(
      "Blueprint 'odd' is no JSON data: its 'metadata.size' is a BigInt.",
    );
  });

  it('is told from one that flowcraft runs in a way of its own, which is warned of', async () => {
    const odd = blueprint('odd', 'a', { a: { config: { maxRetries: 0 } } });
    const { run, logger } = await start({ runtime: { blueprints: { odd }, registry } });
    expect(logger.lines.filter((l) => l.level === 'warn').map((l) => l.message)).toEqual([
      expect.stringContaining("config.maxRetries of node 'a' is 0"),
    ]);
    expect(await run('odd')).toMatchObject({ status: 'failed', errors: [{ message: "Node 'a' execution failed" }] });
  });

  it('as a dynamic node fails the node that returned it', async () => {
    const makes = async () => ({ output: 1, dynamicNodes: [{ id: 'd', uses: 'step', config: { timeout: -1 } }] });
    const { run } = await start({
      runtime: { blueprints: { m: blueprint('m', 'a', { a: { uses: 'makes' } }) }, registry: { ...registry, makes } },
    });
    const outcome = await run('m');
    expect(outcome.status).toBe('failed');
    expect(JSON.stringify(outcome.errors)).toContain(
      "config.timeout that must be a number of milliseconds, 0 or more, not -1 (node 'd')",
    );
  });
});
