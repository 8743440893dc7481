import { describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { createFlow, FlowRuntime, type FlowcraftEvent, type NodeRegistry } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';

type Build = () => Pick<ReturnType<typeof createFlow>, 'toBlueprint' | 'getFunctionRegistry'>;
type Seen = FlowcraftEvent & { timestamp?: string };

const RUN = 'the-run';

/** A node that fails once, one with a fallback, one that changes the context, an edge that is not taken. */
const busy: Build = () => {
  let tries = 0;
  return createFlow('busy')
    .node('a', async ({ context }) => {
      await context.set('k', 1);
      return { output: 1, action: 'go' };
    })
    .node(
      'b',
      async () => {
        if (tries++ === 0) throw new Error('once');
        return { output: 2 };
      },
      { config: { maxRetries: 2 } },
    )
    .node('c', async () => Promise.reject(new Error('always')), { config: { fallback: 'd' } })
    .node('d', async () => ({ output: 4 }))
    .node('e', async () => ({ output: 5 }))
    .edge('a', 'b', { action: 'go' })
    .edge('a', 'e', { action: 'stop' })
    .edge('b', 'c', { condition: 'result.output' });
};

const batch: Build = () =>
  createFlow('batch')
    .node('items', async () => ({ output: [1, 2] }))
    .batch('each', async ({ input }) => ({ output: input }), { inputKey: 'items', outputKey: 'results' })
    .edge('items', 'each_scatter');

const failing: Build = () => createFlow('failing').node('a', async () => Promise.reject(new Error('no')));

const waiting: Build = () =>
  createFlow('waiting')
    .node('a', async () => ({ output: 1 }))
    .wait('w')
    .edge('a', 'w');

async function inProcess(build: Build): Promise<Seen[]> {
  const events: Seen[] = [];
  const flow = build();
  const registry: NodeRegistry = Object.fromEntries(flow.getFunctionRegistry());
  const runtime = new FlowRuntime({ registry, eventBus: { emit: (event) => void events.push(event) } });
  await runtime.run(flow.toBlueprint(), {});
  return events;
}

async function here(build: Build, act?: (client: FlowcraftClient) => Promise<unknown>): Promise<Seen[]> {
  const events: Seen[] = [];
  const flow = build();
  const runtime = {
    blueprints: { [flow.toBlueprint().id]: flow },
    eventBus: { emit: (event: FlowcraftEvent) => void events.push(event) },
  };
  const module = FlowcraftKafkaModule.forRoot({ embedded: true, runtime, reconciler: { enabled: false } });
  const app = await NestFactory.createApplicationContext(module, { logger: ['error'], abortOnError: false });
  try {
    const client = app.get(FlowcraftClient);
    await client.start(flow.toBlueprint().id, {}, { runId: RUN });
    await client.waitForWorkflow(RUN, { until: 'settled' });
    await act?.(client);
  } finally {
    await app.close();
  }
  return events;
}

/** What an event says, but for ids and times of its own. */
const told = (events: readonly Seen[]) =>
  events.map(({ type, payload }) => {
    const { executionId: _, errors, ...rest } = payload as Record<string, unknown> & { errors?: { message: string }[] };
    const error = rest['error'] instanceof Error ? { error: rest['error'].message } : {};
    return { type, ...rest, ...error, ...(errors ? { errors: errors.map(({ message }) => message) } : {}) };
  });

/** In-process, a wait node has an undefined output as long as it waits. */
function isOfUse({ type, ...payload }: { type: string } & Record<string, unknown>): boolean {
  return type !== 'context:change' || payload['value'] !== undefined;
}

describe('an event bus', () => {
  it.each([
    ['completes', busy],
    ['fails', failing],
    ['waits', waiting],
  ])('hears of a run that %s what it hears in-process, in that order', async (_, build) => {
    const [expected, seen] = [await inProcess(build), await here(build)];
    expect(told(seen)).toEqual(told(expected).filter(isOfUse));
  });

  it('gets the run id as execution id, and the time, with every event', async () => {
    const events = [...(await here(busy)), ...(await here(batch))];
    const ids = events.map(({ payload }) => (payload as { executionId?: string }).executionId);
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['edge:evaluate', 'batch:start', 'batch:finish']),
    );
    expect(new Set(ids)).toEqual(new Set([RUN]));
    for (const { timestamp = '' } of events) expect(new Date(timestamp).toISOString()).toBe(timestamp);
  });

  it('hears of a cancelled run that it paused and finished', async () => {
    const events = await here(waiting, (client) => client.cancel(RUN, 'no more'));
    const last = events.filter(({ type }) => type.startsWith('workflow:')).slice(-2);
    expect(told(last)).toEqual([
      { type: 'workflow:pause', blueprintId: 'waiting' },
      {
        type: 'workflow:finish',
        blueprintId: 'waiting',
        status: 'cancelled',
        errors: ['Workflow execution cancelled'],
      },
    ]);
  });
});
