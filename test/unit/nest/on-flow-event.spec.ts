import { Injectable } from '@nestjs/common';
import { ConfigurationError, OnFlowEvent, type FlowEventPayloads, type RunFinishedEvent } from '../../../src/index.js';
import { blueprint } from '../../support/blueprints.js';
import { deferred, startApp, type TestApp } from '../../support/nest-app.js';

const runtime = {
  registry: {
    step: async () => ({ output: 1 }),
    fail: async () => {
      throw new Error('broken');
    },
  },
  blueprints: {
    ok: blueprint('ok', 'a>b'),
    bad: blueprint('bad', 'a', { a: { uses: 'fail' } }),
    waits: blueprint('waits', 'w', { w: { uses: 'wait' } }),
  },
};

let opened: TestApp | undefined;

async function start(provider: new () => object): Promise<TestApp> {
  opened = await startApp({ runtime }, { providers: [provider] });
  return opened;
}

afterEach(async () => {
  await opened?.app.close();
  opened = undefined;
});

describe('@OnFlowEvent', () => {
  it('tells of runs that ended, with status and errors', async () => {
    const told: RunFinishedEvent[] = [];
    const all = deferred();

    @Injectable()
    class Listener {
      readonly own = told;

      @OnFlowEvent('run:finished')
      finished(event: RunFinishedEvent) {
        if (this.own.push(event) === 2) all.resolve();
      }
    }
    const { run } = await start(Listener);
    const [ok, bad] = [await run('ok'), await run('bad')];
    await all.promise;
    expect(told).toEqual([
      { runId: ok.runId, blueprintId: 'ok', status: 'completed', errors: [] },
      {
        runId: bad.runId,
        blueprintId: 'bad',
        status: 'failed',
        errors: [expect.objectContaining({ nodeId: 'a', cause: { name: 'Error', message: 'broken' } })],
      },
    ]);
  });

  it('tells of runs that wait', async () => {
    const waiting = deferred<unknown>();

    class Listener {
      @OnFlowEvent('run:awaiting')
      waits(event: FlowEventPayloads['run:awaiting']) {
        waiting.resolve(event);
      }
    }
    const { client } = await start(Listener);
    const { runId } = await client.start('waits');
    expect(await waiting.promise).toEqual({ runId, blueprintId: 'waits' });
    await client.cancel(runId);
  });

  it("passes on flowcraft's events, several to one method, with the name of each", async () => {
    const told: string[] = [];

    class Listener {
      @OnFlowEvent('node:start', 'node:finish')
      node(
        { nodeId, executionId }: FlowEventPayloads['node:start' | 'node:finish'],
        event: 'node:start' | 'node:finish',
      ) {
        told.push(`${event} ${nodeId} ${executionId}`);
      }
    }
    const { run } = await start(Listener);
    const { runId } = await run('ok');
    expect(told).toEqual([
      `node:start a ${runId}`,
      `node:finish a ${runId}`,
      `node:start b ${runId}`,
      `node:finish b ${runId}`,
    ]);
  });

  it('does not let listeners that throw or reject harm the run, and logs them', async () => {
    class Listener {
      @OnFlowEvent('node:start')
      throws(): never {
        throw new Error('thrown');
      }

      @OnFlowEvent('run:finished')
      async rejects() {
        throw new Error('rejected');
      }
    }
    const { run, logger } = await start(Listener);
    expect(await run('ok')).toMatchObject({ status: 'completed' });
    const logged = logger.lines.filter((l) => l.level === 'error').map((l) => l.message);
    expect(logged).toContain(
      "The listener Listener (AppModule).throws failed for 'node:start'; runs are not affected.",
    );
    expect(logged).toContain(
      "The listener Listener (AppModule).rejects failed for 'run:finished'; runs are not affected.",
    );
  });

  it('refuses the start of the application for events that there are not, all at once', async () => {
    class Listener {
      @OnFlowEvent('run:failed' as never)
      failed() {}

      @OnFlowEvent('job:processed' as never, 'node:start')
      processed() {}

      @OnFlowEvent(...([] as unknown as ['node:start']))
      nothing() {}
    }
    const error: unknown = await startApp({}, { providers: [Listener] }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    const { problems, message } = error as ConfigurationError;
    expect(problems.map(({ path }) => path).sort()).toEqual([
      "@OnFlowEvent('job:processed')",
      "@OnFlowEvent('run:failed')",
      '@OnFlowEvent()',
    ]);
    expect(message).toContain(
      'Listener (AppModule).failed waits for an event that there is not; the end of a run is told',
    );
    expect(message).toContain("There are 'run:finished', 'run:awaiting', 'workflow:start'");
  });
});
