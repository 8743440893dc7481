import type { NodeContext, NodeResult, WorkflowBlueprint } from 'flowcraft';
import type { FlowcraftClient, FlowcraftRuntimeOptions, RunOutcome } from '../../src/index.js';

export interface OutcomesBench {
  readonly client: FlowcraftClient;
  close(): Promise<void>;
}

const MEGABYTE = 'x'.repeat(1 << 20);

const hidden = Object.defineProperty({}, 'part', {
  enumerable: true,
  get: () => {
    throw new Error('not to be read');
  },
});
const trap = new Proxy({}, { ownKeys: () => { throw new Error('a trap'); } }); // prettier-ignore

/** What the node returns or throws, by the name of a run. */
const ODD: Record<string, () => unknown> = {
  'an action that is a number': () => ({ output: 1, action: 5 }),
  'an action that is an object': () => ({ output: 1, action: {} }),
  'an output with a getter that throws': () => ({ output: hidden }),
  'an output that is a trap': () => ({ output: trap }),
  'an action of many megabytes': () => ({ output: 1, action: MEGABYTE.repeat(20) }),
  'an error whose message is a number': () => {
    throw Object.assign(new Error('x'), { message: 404 });
  },
  'an error whose name is an object': () => {
    throw Object.assign(new Error('x'), { name: { of: 'something' } });
  },
  'an error without any text': () => {
    throw Object.create(null);
  },
  'an error of many megabytes': () => {
    throw new Error(MEGABYTE.repeat(20));
  },
};

const blueprint: WorkflowBlueprint = {
  id: 'odd',
  nodes: [
    { id: 'a', uses: 'odd' },
    { id: 'b', uses: 'next' },
  ],
  edges: [{ source: 'a', target: 'b' }],
};

/** Whatever a node comes to, its run ends, after one execution. */
export function describeRefusedOutcomes(open: (runtime: FlowcraftRuntimeOptions) => Promise<OutcomesBench>): void {
  const executions: Record<string, number> = {};
  let bench: OutcomesBench;

  beforeAll(async () => {
    const odd = async ({ context, dependencies }: NodeContext): Promise<NodeResult> => {
      const { runId } = dependencies['turn'] as { runId: string };
      executions[runId] = (executions[runId] ?? 0) + 1;
      return ODD[String(await context.get('kind'))]?.() as NodeResult;
    };
    const runtime = { registry: { odd, next: async () => ({ output: 'next' }) }, blueprints: { odd: blueprint } };
    bench = await open(runtime);
  }, 60_000);
  afterAll(() => bench.close());

  async function outcomeOf(kind: string): Promise<RunOutcome & { executed: number | undefined }> {
    const { runId } = await bench.client.start('odd', { kind });
    const outcome = await bench.client.waitForWorkflow(runId, { timeoutMs: 10_000 });
    return { ...outcome, executed: executions[runId] };
  }

  it.each(Object.keys(ODD).filter((kind) => /action that/.test(kind)))(
    'a node with %s has completed, and edges without an action are taken, as in flowcraft',
    async (kind) => {
      const outcome = await outcomeOf(kind);
      expect(outcome).toMatchObject({ status: 'completed', executed: 1, result: { context: { a: 1, b: 'next' } } });
    },
  );

  it.each(Object.keys(ODD).filter((kind) => !/action that/.test(kind)))(
    'a node with %s has failed once, with an error that names it and is of a size to be read',
    async (kind) => {
      const outcome = await outcomeOf(kind);
      expect(outcome).toMatchObject({ status: 'failed', executed: 1, errors: [{ nodeId: 'a' }] });
      expect(JSON.stringify(outcome.errors).length).toBeLessThan(300_000);
      expect((outcome.reason ?? '').length).toBeLessThan(150_000);
    },
  );
}
