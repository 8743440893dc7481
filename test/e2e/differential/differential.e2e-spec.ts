import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { UnsafeEvaluator } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';
import type { Outcome } from '../../conformance/corpus.js';
import { StartCounter } from '../../conformance/start-counter.js';
import { answer, waitingIn, type Answerable } from '../../differential/answering.js';
import { compare, loadTools } from '../../differential/differential.js';
import { errorsOf } from '../../differential/fleet.js';
import { fuzzCase, type FuzzCase } from '../../differential/fuzz-case.js';
import { drawing } from '../../differential/minimise.js';
import { nodeTypes } from '../../differential/node-types.js';
import { openServers, type Servers } from '../../support/servers.js';

const WORKERS = 2;
const AT_A_TIME = 10;
const cases = Array.from({ length: 100 }, (_, i) => fuzzCase(i + 1));
const tools = await loadTools();

describe('random workflows on real servers, with two workers', () => {
  const starts = new StartCounter();
  const apps: INestApplicationContext[] = [];
  const { error } = console;
  let servers: Servers;

  beforeAll(async () => {
    console.error = () => undefined; // flowcraft's evaluator says which conditions it can't evaluate
    servers = openServers('differential');
    const blueprints = cases.flatMap((kase) => Object.values(kase.blueprints));
    const runtime = {
      registry: nodeTypes,
      blueprints: Object.fromEntries(blueprints.map((b) => [b.id, b])),
      evaluator: new UnsafeEvaluator(),
      eventBus: starts,
    };
    for (let i = 0; i < WORKERS; i++) {
      const module = FlowcraftKafkaModule.forRoot({ ...servers.options, runtime });
      apps.push(await NestFactory.createApplicationContext(module, { logger: ['fatal'] }));
    }
  }, 120_000);
  afterAll(async () => {
    console.error = error;
    for (const app of apps) await app.close();
    await servers.remove();
  }, 60_000);

  const run = async (kase: FuzzCase): Promise<Outcome> => {
    const client = apps[kase.seed % WORKERS]?.get(FlowcraftClient) as FlowcraftClient;
    const answerable: Answerable = {
      describe: (runId) => client.getRun(runId),
      resume: (runId, nodeId, given) => client.resume(runId, { nodeId, ...given }),
    };
    const { runId } = await client.start(kase.name, { ...kase.initialContext });
    for (;;) {
      const { status, errors, timedOut } = await client.waitForWorkflow(runId, { until: 'settled', timeoutMs: 60_000 });
      if (timedOut) throw new Error(`Run ${runId} did not settle: ${JSON.stringify(await client.getRun(runId))}`);
      if (status !== 'awaiting') {
        const context = await client.getContext(runId);
        return { status, context, executed: starts.of(kase, runId), error: errorsOf(errors ?? []) };
      }
      const [first] = await waitingIn(answerable, runId);
      if (!first) throw new Error(`Run ${runId} awaits, and nothing in it does.`);
      await answer(answerable, kase, first);
    }
  };

  for (let at = 0; at < cases.length; at += AT_A_TIME) {
    const some = cases.slice(at, at + AT_A_TIME);
    it(`seeds ${some[0]?.seed} to ${some.at(-1)?.seed} end as in-process`, async () => {
      const verdicts = await Promise.all(some.map((kase) => compare(tools, kase, run)));
      verdicts.forEach((verdict, i) => {
        const kase = some[i] as FuzzCase;
        if (verdict.kind === 'mismatch') expect([kase.seed, verdict.wrong, drawing(kase)]).toEqual([]);
      });
    }, 120_000);
  }
});
