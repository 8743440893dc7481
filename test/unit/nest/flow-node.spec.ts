import { Controller, Inject, Injectable, Module, Scope, type Provider } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { BaseNode, type NodeContext, type NodeResult } from 'flowcraft';
import { ConfigurationError, FlowNode, type FlowNodeHandler, type TurnInfo } from '../../../src/index.js';
import { blueprint, type NodeSpec } from '../../support/blueprints.js';
import { deferred, startApp, type TestApp } from '../../support/nest-app.js';

const single = (uses: string, spec: NodeSpec = {}) => ({ one: blueprint('one', 'a', { a: { ...spec, uses } }) });

let opened: TestApp | undefined;

async function start(...args: Parameters<typeof startApp>): Promise<TestApp> {
  opened = await startApp(...args);
  return opened;
}

afterEach(async () => {
  await opened?.app.close();
  opened = undefined;
});

async function outputOf(providers: Provider[], uses: string, spec: NodeSpec = {}): Promise<unknown> {
  const { run } = await start({ runtime: { blueprints: single(uses, spec) } }, { providers });
  return (await run('one')).result?.context['a'];
}

@Injectable()
class Texts {
  upper(text: unknown): string {
    return String(text).toUpperCase();
  }
}

describe('@FlowNode', () => {
  it('on a class with execute(ctx) makes the provider the node, with what it injects', async () => {
    @FlowNode('shout')
    @Injectable()
    class Shout implements FlowNodeHandler {
      constructor(private readonly texts: Texts) {}

      async execute({ params }: NodeContext): Promise<NodeResult> {
        return { output: this.texts.upper(params['text']) };
      }
    }
    expect(await outputOf([Texts, Shout], 'shout', { params: { text: 'hey' } })).toBe('HEY');
  });

  it('on methods makes each a node of its own, bound to the provider', async () => {
    @Injectable()
    class Nodes {
      #calls = 0;

      constructor(private readonly texts: Texts) {}

      @FlowNode('first')
      async first(): Promise<NodeResult> {
        return { output: this.texts.upper(`first ${++this.#calls}`) };
      }

      @FlowNode('second')
      async second({ input }: NodeContext): Promise<NodeResult> {
        return { output: `${String(input)}, second ${++this.#calls}` };
      }
    }
    const two = blueprint('two', 'a>b', { a: { uses: 'first' }, b: { uses: 'second' } });
    const { run } = await start({ runtime: { blueprints: { two } } }, { providers: [Texts, Nodes] });
    expect((await run('two')).result?.context['b']).toBe('FIRST 1, second 2');
  });

  it('finds nodes of useValue, useFactory, aliases and controllers', async () => {
    class Valued {
      constructor(private readonly text: string) {}

      @FlowNode('valued')
      async node() {
        return { output: this.text };
      }
    }
    class Made {
      @FlowNode('made')
      async node() {
        return { output: 'made' };
      }
    }
    @Controller('nodes')
    class Nodes {
      @FlowNode('controlled')
      async node({ context }: NodeContext) {
        return { output: [await context.get('a'), await context.get('b')] };
      }
    }
    const blueprints = {
      three: blueprint('three', 'a>b b>c', { a: { uses: 'valued' }, b: { uses: 'made' }, c: { uses: 'controlled' } }),
    };
    const { run } = await start(
      { runtime: { blueprints } },
      {
        providers: [
          { provide: 'valued', useValue: new Valued('valued') },
          { provide: Made, useFactory: async () => new Made() },
          { provide: 'alias', useExisting: Made },
        ],
        controllers: [Nodes],
      },
    );
    expect((await run('three')).result?.context['c']).toEqual(['valued', 'made']);
  });

  it('tells in the log which provider is which node, with its description', async () => {
    class Nodes {
      @FlowNode('told', { description: 'tells' })
      async told() {
        return {};
      }
    }
    const { logger } = await start({}, { providers: [Nodes] });
    expect(logger.lines).toContainEqual({
      level: 'debug',
      message: "Node type 'told' is Nodes (AppModule).told: tells",
    });
  });

  it('is inherited: the subclass is the node, with its own methods', async () => {
    abstract class Base {
      @FlowNode('greet')
      async greet() {
        return { output: `I am ${this.name()}` };
      }

      abstract name(): string;
    }
    @Injectable()
    class Child extends Base {
      name() {
        return 'the child';
      }
    }
    expect(await outputOf([Child], 'greet')).toBe('I am the child');
  });

  it('gives nodes the key to hand to services that know idempotency', async () => {
    class Paying {
      @FlowNode('pay')
      async pay({ dependencies }: NodeContext) {
        return { output: (dependencies['turn'] as TurnInfo).idempotencyKey };
      }
    }
    const { run } = await start({ runtime: { blueprints: single('pay') } }, { providers: [Paying] });
    const outcome = await run('one');
    expect(outcome.result?.context['a']).toBe(`${outcome.runId}:a@1`);
  });
});

describe('@FlowNode on a flowcraft node class', () => {
  it('keeps the lifecycle prep, exec with retries, fallback, post and recover', async () => {
    const calls: string[] = [];

    @FlowNode('lived')
    @Injectable()
    class Lived extends BaseNode {
      constructor(private readonly texts: Texts) {
        super();
      }

      override async prep({ params }: NodeContext) {
        calls.push('prep');
        return this.texts.upper(params['text']);
      }

      async exec(prepared: unknown): Promise<NodeResult> {
        calls.push(`exec ${String(prepared)}`);
        throw new Error('no');
      }

      override async fallback(error: Error) {
        calls.push(`fallback ${error.message}`);
        return { output: 1 };
      }

      override async post({ output }: NodeResult) {
        calls.push('post');
        return { output: output + 1, action: 'done' };
      }

      override async recover(error: Error) {
        calls.push(`recover ${error.message}`);
      }
    }
    const spec = { params: { text: 'x' }, config: { maxRetries: 2 } };
    expect(await outputOf([Texts, Lived], 'lived', spec)).toBe(2);
    expect(calls).toEqual(['prep', 'exec X', 'exec X', 'fallback no', 'post', 'recover no']);
  });

  it('takes a class with exec alone, and gives it the defaults of BaseNode for the rest', async () => {
    @FlowNode('plain')
    class Plain {
      async exec(prepared: unknown) {
        return { output: `exec of ${String(prepared)}` };
      }
    }
    expect(await outputOf([Plain], 'plain', { inputs: 'text' })).toBe('exec of undefined');
  });

  it('shares one instance, yet each execution reads its own params and nodeId', async () => {
    const both = deferred();
    let entered = 0;

    @FlowNode('shared')
    class Shared extends BaseNode {
      readonly #secret = 'kept';

      async exec(): Promise<NodeResult> {
        const before = this.nodeId;
        if (++entered === 2) both.resolve();
        await both.promise; // two executions are in here at once
        return { output: `${before} ${this.nodeId} ${this.params?.['text']} ${this.#secret} ${entered}` };
      }
    }
    const pair = blueprint('pair', 'a b', {
      a: { uses: 'shared', params: { text: 'A' } },
      b: { uses: 'shared', params: { text: 'B' } },
    });
    const { run, app } = await start({ runtime: { blueprints: { pair } } }, { providers: [Shared] });
    const { result } = await run('pair');
    expect([result?.context['a'], result?.context['b']]).toEqual(['a a A kept 2', 'b b B kept 2']);
    expect(app.get<Record<string, unknown>>(Shared)['nodeId']).toBeUndefined();
  });
});

describe('@FlowNode refuses the start of the application', () => {
  async function problemsOf(providers: Provider[]): Promise<string> {
    const error: unknown = await startApp({ runtime: { registry: { known: async () => ({}) } } }, { providers }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as ConfigurationError).message;
  }

  it('for two providers of one name, and names both', async () => {
    class One {
      @FlowNode('check')
      async check() {
        return {};
      }
    }
    @FlowNode('check')
    class Two {
      async execute() {
        return {};
      }
    }
    const message = await problemsOf([One, Two]);
    expect(message).toMatch(/'check': is declared twice, by One \(AppModule\)\.check and by Two \(AppModule\)/);
  });

  it('for a class that is provided in two modules', async () => {
    class Once {
      @FlowNode('once')
      async once() {
        return {};
      }
    }
    @Module({ providers: [Once] })
    class Other {}
    const error: unknown = await startApp({}, { providers: [Once], imports: [Other] }).catch((e: unknown) => e);
    expect((error as Error).message).toMatch(/by Once \(AppModule\)\.once and by Once \(Other\)\.once/);
  });

  it('for a name that runtime.registry has', async () => {
    class Known {
      @FlowNode('known')
      async known() {
        return {};
      }
    }
    expect(await problemsOf([Known])).toMatch(/by runtime\.registry and by Known \(AppModule\)\.known/);
  });

  it('for providers that are request-scoped, depend on one, or are transient', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Requested {
      @FlowNode('requested')
      async node() {
        return {};
      }
    }
    @Injectable()
    class Dependent {
      constructor(@Inject(REQUEST) readonly request: unknown) {}

      @FlowNode('dependent')
      async node() {
        return {};
      }
    }
    @FlowNode('transient')
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      async execute() {
        return {};
      }
    }
    const message = await problemsOf([Requested, Dependent, Transient]);
    expect(message).toMatch(/@FlowNode\('requested'\): Requested \(AppModule\)\.node is request-scoped/);
    expect(message).toMatch(/@FlowNode\('dependent'\)/);
    expect(message).toMatch(/@FlowNode\('transient'\)/);
  });

  it('for the name of a built-in node type, and for what is no name', async () => {
    class Nodes {
      @FlowNode('sleep')
      async pause() {
        return {};
      }

      @FlowNode(undefined as never)
      async nameless() {
        return {};
      }
    }
    const message = await problemsOf([Nodes]);
    expect(message).toMatch(
      /node type 'sleep': is built into flowcraft, and Nodes \(AppModule\)\.pause would replace it/,
    );
    expect(message).toMatch(/@FlowNode\(undefined\): Nodes \(AppModule\)\.nameless has a name that is no text/);
  });

  it('for options that there are not, and says where retries and timeouts belong', async () => {
    class Nodes {
      @FlowNode('retried', { retries: 3, timeout: 1000 } as never)
      async retried() {
        return {};
      }

      @FlowNode('named', { name: 'x' } as never)
      async named() {
        return {};
      }

      @FlowNode('described', { description: 5 } as never)
      async described() {
        return {};
      }

      @FlowNode('texted', 'text' as never)
      async texted() {
        return {};
      }
    }
    const message = await problemsOf([Nodes]);
    expect(message).toMatch(/5 problem/);
    for (const option of ['retries', 'timeout'])
      expect(message).toContain(
        `@FlowNode('retried'): Nodes (AppModule).retried has the option '${option}', which there is not; retries and timeouts belong in the blueprint, in the node's config: { maxRetries, retryDelay, timeout }`,
      );
    expect(message).toContain("Nodes (AppModule).named has the option 'name', which there is not; the only one is");
    expect(message).toContain('Nodes (AppModule).described has a description that is no text');
    expect(message).toContain('Nodes (AppModule).texted has options that are no object');
  });

  it('for classes that are no node, and lists all problems', async () => {
    @FlowNode('nothing')
    class Nothing {}
    @FlowNode('both')
    class Both {
      async execute() {
        return {};
      }

      async exec() {
        return {};
      }
    }
    @FlowNode(' ')
    class Nameless {
      async execute() {
        return {};
      }
    }
    const message = await problemsOf([Nothing, Both, Nameless]);
    expect(message).toMatch(/3 problem/);
    expect(message).toMatch(/Nothing \(AppModule\) has neither execute/);
    expect(message).toMatch(/Both \(AppModule\) has both/);
    expect(message).toMatch(/Nameless \(AppModule\) has an empty name/);
  });
});

it('a decorator that is applied as the standard has it says what to compile with', () => {
  class Nodes {}
  const standard = FlowNode('step') as unknown as (value: unknown, context: object) => void;
  expect(() => standard(Nodes, { kind: 'class', name: 'Nodes' })).toThrow(/experimentalDecorators/);
  expect(() => standard(() => undefined, { kind: 'method', name: 'step' })).toThrow(/emitDecoratorMetadata/);
});
