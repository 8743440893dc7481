import {
  Global,
  Injectable,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { Transport } from '@nestjs/microservices';
import type { TestingModule } from '@nestjs/testing';
import type { NodeContext, NodeResult } from 'flowcraft';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { FlowcraftClient, FlowcraftKafkaModule, FlowcraftWorker, FlowNode } from '../../../src/index.js';
import { blueprint } from '../../support/blueprints.js';
import { builderOf, deferred, rootModule } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

/** Something like a database: usable from the end of its last starting hook to the beginning of its first closing one. */
@Injectable()
class Database
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
{
  state = 'new';

  async onModuleInit() {
    await sleep(1);
    this.state = 'initialised';
  }

  async onApplicationBootstrap() {
    await sleep(5);
    this.state = 'open';
  }

  onModuleDestroy() {
    this.state = 'destroyed';
  }

  beforeApplicationShutdown() {
    this.state = 'before shutdown';
  }

  onApplicationShutdown() {
    this.state = 'shut down';
  }
}

/** What a test and its nodes tell each other. */
class Stage {
  readonly seen: string[] = [];
  readonly reached = deferred();
  readonly release = deferred();
}

@Injectable()
class Nodes {
  constructor(
    private readonly database: Database,
    private readonly stage: Stage,
  ) {}

  @FlowNode('early')
  async early(): Promise<NodeResult> {
    this.stage.seen.push(`early: ${this.database.state}`);
    return {};
  }

  @FlowNode('late')
  async late(_ctx: NodeContext): Promise<NodeResult> {
    this.stage.seen.push(`late begins: ${this.database.state}`);
    this.stage.reached.resolve();
    await this.stage.release.promise;
    await sleep(20); // hooks that would run meanwhile get their chance
    this.stage.seen.push(`late ends: ${this.database.state}`);
    return {};
  }
}

const blueprints = {
  early: blueprint('early', 'a', { a: { uses: 'early' } }),
  late: blueprint('late', 'a', { a: { uses: 'late' } }),
};

type Place = (ours: ReturnType<typeof FlowcraftKafkaModule.forRoot>, stage: Stage) => Type;

function featureModule(stage: Stage): Type {
  @Module({ providers: [Database, Nodes, { provide: Stage, useValue: stage }] })
  class FeatureModule {}
  return FeatureModule;
}

const PLACES: Record<string, Place> = {
  'a module imported before ours': (ours, stage) => rootModule([featureModule(stage), ours]),
  'a module imported after ours': (ours, stage) => rootModule([ours, featureModule(stage)]),
  'the root module': (ours, stage) => rootModule([ours], [Database, Nodes, { provide: Stage, useValue: stage }]),
  'a deep module': (ours, stage) => rootModule([rootModule([rootModule([ours]), featureModule(stage)])]),
  'a global module': (ours, stage) => {
    @Global()
    @Module({ providers: [Database, Nodes, { provide: Stage, useValue: stage }] })
    class GlobalModule {}
    return rootModule([GlobalModule, ours]);
  },
};

interface Running {
  close(): Promise<void>;
}

const KINDS: Record<string, (module: TestingModule) => Promise<Running>> = {
  'an application context': async (module) => module.init(),
  'an HTTP application': async (module) => {
    const app = module.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    return app;
  },
  'a hybrid application': async (module) => {
    const app = module.createNestApplication({ logger: false });
    app.connectMicroservice({ transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    return app;
  },
  'a microservice': async (module) => {
    const app = module.createNestMicroservice({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: 0 },
      logger: false,
    });
    await app.listen();
    return app;
  },
};

let opened: Running[] = [];

afterEach(async () => {
  for (const app of opened) await app.close();
  opened = [];
});

describe.each(Object.entries(KINDS))('nodes in %s', (_kind, start) => {
  it.each(Object.entries(PLACES))('execute only while the providers of %s work', async (_place, place) => {
    const servers = new MemoryServers({ clock: new SystemClock() });
    const options = { embedded: true, runtime: { blueprints }, blueprints: { unknownNodes: 'fail' } as const };
    const clientOnly = rootModule([FlowcraftKafkaModule.forRoot({ ...options, worker: { enabled: false } })]);
    const starter = await builderOf(clientOnly, new RecordingLogger(), servers).compile();
    await starter.init();
    opened.push(starter);
    const client = starter.get(FlowcraftClient);
    const early = await client.start('early');

    const stage = new Stage();
    const module = await builderOf(
      place(FlowcraftKafkaModule.forRoot(options), stage),
      new RecordingLogger(),
      servers,
    ).compile();
    const app = await start(module);
    opened.push({
      close: () => {
        stage.release.resolve();
        return app.close();
      },
    });
    await expect(client.waitForWorkflow(early.runId)).resolves.toMatchObject({ status: 'completed' });
    const late = await client.start('late');
    await stage.reached.promise;
    const closed = app.close();
    stage.release.resolve();
    await closed;

    expect(stage.seen).toEqual(['early: open', 'late begins: open', 'late ends: open']);
    expect(module.get(FlowcraftWorker).state).toBe('drained');
    await expect(client.waitForWorkflow(late.runId)).resolves.toMatchObject({ status: 'completed' });
  });
});

describe('FlowcraftClient during the start and the end of an application', () => {
  it('works from onModuleInit to onApplicationShutdown of other providers', async () => {
    const steps: string[] = [];

    @Injectable()
    class Starter implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
      constructor(private readonly client: FlowcraftClient) {}

      private async start(when: string) {
        const { runId } = await this.client.start('early', { when });
        steps.push(`${when}: ${(await this.client.getRun(runId)).status}`);
      }

      onModuleInit() {
        return this.start('init');
      }

      onModuleDestroy() {
        return this.start('destroy');
      }

      onApplicationShutdown() {
        return this.start('shutdown');
      }
    }

    const runtime = { blueprints, registry: { early: async () => ({}), late: async () => ({}) } };
    const root = rootModule([FlowcraftKafkaModule.forRoot({ embedded: true, runtime })], [Starter]);
    const app = await builderOf(root, new RecordingLogger()).compile();
    await app.init();
    await app.close();
    expect(steps).toEqual(['init: running', 'destroy: running', 'shutdown: running']);
  });

  it('is told that it is too early while providers are still being made', async () => {
    const early = {
      provide: 'early',
      useFactory: (client: FlowcraftClient) => client.start('early'),
      inject: [FlowcraftClient],
    };
    const root = rootModule([FlowcraftKafkaModule.forRoot({ embedded: true })], [early]);
    await expect(builderOf(root, new RecordingLogger()).compile()).rejects.toThrow(/onModuleInit\(\) or later/);
  });
});
