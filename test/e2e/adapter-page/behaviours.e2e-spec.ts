import { FlowRuntime, NullLogger, UnsafeEvaluator, type RuntimeOptions, type WorkflowBlueprint } from 'flowcraft';
import type { KafkaAdapter } from '../../../src/adapter/kafka-adapter.js';
import { AdapterFixture, type StatusRow } from '../../support/adapter-fixture.js';
import { behaviours, executions, registry, type Behaviour } from './behaviours.js';

const MINUTE_MS = 60_000;

const blueprintsOf = ({ blueprint, others = [] }: Behaviour) => [blueprint, ...others];
const byId = (list: readonly WorkflowBlueprint[]) => Object.fromEntries(list.map((b) => [b.id, structuredClone(b)]));

/** What the in-process runtime makes of it, as JSON. */
async function inProcess(behaviour: Behaviour): Promise<{ status: string; context: Record<string, unknown> }> {
  const blueprints = byId(blueprintsOf(behaviour));
  const logger = new NullLogger();
  const runtime = new FlowRuntime({ registry, blueprints, logger, evaluator: new UnsafeEvaluator() });
  const { status, context } = await runtime.run(structuredClone(behaviour.blueprint), { ...behaviour.context });
  return { status, context: JSON.parse(JSON.stringify(context)) };
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/**
 * Without ids, which differ between any two runs, and without the input of a join that declares none: that is of
 * whichever predecessor was last.
 */
function comparable(context: Record<string, unknown>, { blueprint }: Behaviour): Record<string, unknown> {
  const joins = blueprint.nodes.filter(({ id }) => blueprint.edges.filter((e) => e.target === id).length > 1);
  const ignored = new Set(['_executionId', ...joins.map(({ id }) => `_inputs.${id}`)]);
  const kept = Object.entries(context).filter(([key]) => !ignored.has(key));
  return JSON.parse(JSON.stringify(Object.fromEntries(kept)).replaceAll(UUID, 'id'));
}

function countsOf(behaviour: Behaviour): Record<string, number> {
  const names = Object.keys(behaviour.executions ?? {});
  return Object.fromEntries(names.map((name) => [name, executions.get(`${behaviour.blueprint.id}/${name}`) ?? 0]));
}

describe('a run that a foreign client started', () => {
  let servers: AdapterFixture;
  let adapter: KafkaAdapter;
  const options: RuntimeOptions = {
    registry,
    blueprints: byId(behaviours.flatMap(blueprintsOf)),
    evaluator: new UnsafeEvaluator(),
  };

  beforeAll(async () => {
    servers = await AdapterFixture.open();
    adapter = await servers.startedAdapter(options);
  }, MINUTE_MS);

  afterAll(() => servers.close(), MINUTE_MS);

  /** The row, with the context of the run where it is too large for the row. */
  const outcomeOf = async (runId: string): Promise<StatusRow & { context: Record<string, unknown> }> => {
    const row = await servers.outcome(runId);
    const context = row.result?.context ?? { ...(await adapter.createContext(runId).toJSON()), _executionId: runId };
    return { ...row, context };
  };

  test.each(behaviours.map((b) => [b.name, b] as const))(
    'ends as in-process: %s',
    async (_name, behaviour) => {
      executions.clear();
      const expected = await inProcess(behaviour);
      executions.clear();
      const runId = await servers.submit(behaviour.blueprint, behaviour.context);
      const { status, context } = await outcomeOf(runId);

      expect(status).toBe(behaviour.status ?? 'completed');
      expect(status).toBe(expected.status);
      expect(context['_executionId']).toBe(runId);
      expect(context).toMatchObject(behaviour.values ?? {});
      expect(comparable(context, behaviour)).toEqual(comparable(expected.context, behaviour));
      expect(countsOf(behaviour)).toEqual(behaviour.executions ?? {});
    },
    MINUTE_MS,
  );
});
