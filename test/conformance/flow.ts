import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { createDefaultContainer } from 'flowcraft';
import {
  FlowcraftClient,
  FlowcraftKafkaModule,
  NodeNotAwaitingError,
  type FlowcraftKafkaOptions,
  type RunOutcome,
} from '../../src/index.js';
import type { Case, Corpus, Outcome, Step } from './corpus.js';
import { StartCounter } from './start-counter.js';

const STEP_TIMEOUT_MS = 20_000;
/** A run that is cancelled before it begins would begin so late. */
const LONG_AFTER_MS = 60_000;

/** Applications of one profile of the corpus: one or more workers over the same servers. */
export interface Flow {
  run(kase: Case, runId: string): Promise<Outcome>;
  close(): Promise<void>;
}

/**
 * Serves all cases of a profile through the public module and client.
 * @param connections the options that say where the servers are
 */
export async function openFlow(
  corpus: Corpus,
  cases: readonly Case[],
  profile: string,
  connections: Omit<FlowcraftKafkaOptions, 'runtime'>,
  workers = 1,
): Promise<Flow> {
  const starts = new StartCounter();
  const { options, registry, blueprints } = corpus.serving(cases, profile);
  const { container, ...rest } = options;
  const runtime = { ...rest, registry, blueprints, eventBus: starts };
  const apps: INestApplicationContext[] = [];
  for (let i = 0; i < workers; i++) {
    const module = FlowcraftKafkaModule.forRoot({
      ...connections,
      runtime: container ? createDefaultContainer(runtime) : runtime,
      blueprints: { unknownNodes: 'fail' },
      reconciler: { enabled: false },
    });
    apps.push(await NestFactory.createApplicationContext(module, { logger: ['fatal'] }));
  }
  const client = apps[0]?.get(FlowcraftClient) as FlowcraftClient;
  return {
    run: (kase, runId) => runCase(client, starts, kase, runId),
    close: async () => {
      for (const app of apps) await app.close();
    },
  };
}

async function runCase(client: FlowcraftClient, starts: StartCounter, kase: Case, runId: string): Promise<Outcome> {
  const statuses: string[] = [];
  let outcome: RunOutcome | undefined;
  for (const [at, step] of kase.steps.entries()) {
    try {
      await takeStep(client, kase, runId, step);
    } catch (error) {
      statuses.push('rejected');
      return {
        status: 'rejected',
        statuses,
        context: null,
        executed: starts.of(kase, runId),
        error: { thrown: (error as Error).message },
      };
    }
    outcome = await client.waitForWorkflow(runId, { until: 'settled', timeoutMs: STEP_TIMEOUT_MS });
    if (outcome.timedOut) throw new Error(`Run ${runId} did not settle: ${JSON.stringify(await client.getRun(runId))}`);
    // a sleep may be over before anybody has looked
    statuses.push(kase.steps[at + 1]?.wake ? 'awaiting' : outcome.status);
  }
  if (!outcome) throw new Error('A case has no step.');
  const errors = (outcome.errors ?? []).map(({ nodeId, message, cause }) => ({
    nodeId,
    message,
    ...(cause ? { cause: cause.message } : {}),
  }));
  return {
    status: outcome.status,
    statuses,
    context: outcome.status === 'cancelled' ? {} : await client.getContext(runId),
    executed: starts.of(kase, runId),
    error: errors.length > 0 ? { errors } : null,
  };
}

async function takeStep(client: FlowcraftClient, kase: Case, runId: string, step: Step): Promise<void> {
  if (step.resume) {
    const { nodeId, ...answer } = step.resume;
    await client.resume(runId, { nodeId, ...answer });
  } else if (step.wake) {
    // its timer may have been faster
    await client.resume(runId, { nodeId: step.wake.nodeId }).catch((error: unknown) => {
      if (!(error instanceof NodeNotAwaitingError)) throw error;
    });
  } else {
    const strict = kase.options?.strict === undefined ? {} : { strict: kase.options.strict };
    // on servers a short run can be faster than the cancel that follows its start
    const delay = step.cancel?.before ? { delayMs: LONG_AFTER_MS } : {};
    await client.start(kase.name, structuredClone(kase.initialContext ?? {}), { runId, ...strict, ...delay });
    if (step.cancel?.before) await client.cancel(runId);
  }
}
