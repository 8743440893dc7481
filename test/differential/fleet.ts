import { UnsafeEvaluator } from 'flowcraft';
import { DEFAULT_OPTIONS } from '../../src/composition/default-options.js';
import type { EngineConfiguration } from '../../src/engine/engine.js';
import type { Client } from '../../src/engine/client.js';
import { delay } from '../../src/ports/clock.js';
import type { NodeError } from '../../src/index.js';
import type { Outcome } from '../conformance/corpus.js';
import { StartCounter } from '../conformance/start-counter.js';
import type { SimulatedProcess } from '../simulation/world/process.js';
import { Random } from '../simulation/world/random.js';
import { World } from '../simulation/world/world.js';
import { answer, waitingIn } from './answering.js';
import type { FuzzCase } from './fuzz-case.js';

const LONGEST_MS = 600_000;
/** A run that flowcraft ends within a few hundred turns does not need more. */
const MOST_TURNS = 1_500;

/** Runs a case on the engine: some workers over the memory drivers, every order of events drawn from the seed. */
export async function runOnFleet(kase: FuzzCase, seed: number): Promise<Outcome> {
  const world = new World({ seed });
  const random = new Random(seed, 'fleet');
  const starts = new StartCounter();
  const concurrency = random.pick([1, 2, 64]);
  const configure = ({ clock, name }: SimulatedProcess): EngineConfiguration => {
    const pace = new Random(seed, `pace of ${name}`);
    return {
      runtime: {
        registry: kase.registry,
        blueprints: Object.fromEntries(Object.values(kase.blueprints).map((b) => [b.id, b])),
        evaluator: new UnsafeEvaluator(),
        eventBus: starts,
        middleware: [{ beforeNode: () => delay(clock, pace.chance(0.2) ? pace.int(100) : pace.int(10)) }],
      },
      options: {
        ...DEFAULT_OPTIONS,
        worker: { ...DEFAULT_OPTIONS.worker, concurrency },
        limits: { ...DEFAULT_OPTIONS.limits, maxTurnsPerRun: MOST_TURNS },
      },
    };
  };
  const workers = Array.from({ length: 1 + random.int(3) }, (_, i) => world.spawn(`w${i}`, configure));
  for (const { engine } of workers) await world.complete(engine.worker.start());
  const client = random.pick(workers).engine.client;
  try {
    const { runId } = await world.complete(client.start(kase.name, { ...kase.initialContext }, { runId: 'run' }));
    const end = await world.complete(
      random.chance(0.5) ? answerWhenSettled(client, kase, random) : answerAtOnce(client, kase, random, workers[0]),
      LONGEST_MS,
    );
    return {
      status: end.status,
      context: await world.complete(client.context(runId)),
      executed: starts.of(kase, runId),
      error: errorsOf(end.errors ?? []),
    };
  } finally {
    for (const { engine } of workers) engine.close();
  }
}

/** In the form of the corpus. */
export function errorsOf(errors: readonly NodeError[]): Outcome['error'] {
  if (errors.length === 0) return null;
  const cause = (error: NodeError) => (error.cause ? { cause: error.cause.message } : {});
  return { errors: errors.map((error) => ({ nodeId: error.nodeId, message: error.message, ...cause(error) })) };
}

type End = Awaited<ReturnType<Client['wait']>>;

/** One answer at a time, whenever nothing else is left to do. */
async function answerWhenSettled(client: Client, kase: FuzzCase, random: Random): Promise<End> {
  for (;;) {
    const outcome = await client.wait('run', { until: 'settled', timeoutMs: LONGEST_MS });
    if (outcome.status !== 'awaiting') return outcome;
    const waiting = await waitingIn(client, 'run');
    if (waiting.length === 0) throw new Error('The run awaits, and nothing in it does.');
    await answer(client, kase, random.pick(waiting));
  }
}

/** As soon as a node is seen waiting, beside whatever else goes on. */
async function answerAtOnce(
  client: Client,
  kase: FuzzCase,
  random: Random,
  process: SimulatedProcess | undefined,
): Promise<End> {
  const over = new AbortController();
  const answering = async () => {
    while (!over.signal.aborted && process) {
      await delay(process.clock, 1 + random.int(20), over.signal);
      const waiting = await waitingIn(client, 'run');
      if (waiting.length > 0 && !over.signal.aborted) await answer(client, kase, random.pick(waiting));
    }
  };
  const [outcome] = await Promise.all([
    client.wait('run', { timeoutMs: LONGEST_MS }).finally(() => over.abort()),
    answering(),
  ]);
  return outcome;
}
