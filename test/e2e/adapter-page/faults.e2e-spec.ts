import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { createKafkaReconciler } from '../../../src/adapter/kafka-reconciler.js';
import { AdapterFixture } from '../../support/adapter-fixture.js';
import { eventually, openProxy, through } from '../../support/kafka-fixture.js';
import { Program } from '../../support/program.js';
import { executions, flow, registry } from './behaviours.js';
import { crashFlow, crashRegistry } from './crash-flow.js';

const MINUTE_MS = 60_000;

describe('with faults', () => {
  let servers: AdapterFixture;

  beforeEach(async () => {
    servers = await AdapterFixture.open();
    executions.clear();
  }, MINUTE_MS);

  afterEach(() => servers.close(), MINUTE_MS);

  test(
    'a node that takes longer than the session of its consumer is executed once, and the join behind it is right',
    async () => {
      const long = flow(
        'long',
        [
          ['q1', 'value', { value: 'q1' }],
          ['q2', 'slow', { ms: 15_000 }],
          ['j', 'see', {}, { inputs: { q1: 'q1', q2: 'q2' } }],
        ],
        'q1>j q2>j',
      );
      const tuning = { kafka: { consumer: { sessionTimeout: 6000, heartbeatInterval: 1000, rebalanceTimeout: 8000 } } };
      const options = { registry, blueprints: { long } };
      const more = { tuning, worker: { leaseMs: 4000, livenessMs: 3000, maxHoldMs: 5000 } };
      await servers.startedAdapter(options, more);
      const runId = await servers.submit(long);
      await servers.startedAdapter(options, more); // takes partitions over while the node is at work
      const row = await servers.outcome(runId);
      expect(row.result?.context['j']).toBe('saw {"q1":"q1","q2":"slept"}');
      expect(Object.fromEntries(executions)).toEqual({ 'long/q1': 1, 'long/q2': 1, 'long/j': 1 });
    },
    2 * MINUTE_MS,
  );

  test.each([
    ['', false],
    [', with a reconciler at work', true],
  ])(
    'another worker finishes what a worker that was killed in the middle of a join has begun%s',
    async (_name, reconciles) => {
      const dir = await mkdtemp(path.join(tmpdir(), 'crash-'));
      const file = path.join(dir, 'executions');
      const options = { blueprints: { crash: crashFlow } };
      const observer = servers.adapter({ ...options, registry: crashRegistry(() => {}, Promise.resolve()) });
      const { topic, groupId, keyspace, prefix } = servers;
      const program = Program.start(path.resolve(import.meta.dirname, 'crash-worker.ts'), {
        ...servers.env,
        TOPIC: topic,
        GROUP: groupId,
        KEYSPACE: keyspace,
        PREFIX: prefix,
        FILE: file,
      });
      try {
        await program.writes(/ready/);
        const runId = await servers.submit(crashFlow);
        await observer.use(async ({ engine }) => {
          const settled = async () => {
            if (!(await engine.runs.find(runId))) return false;
            const { nodes } = await engine.client.describe(runId);
            const isDone = (id: string) => nodes.some((n) => n.nodeId === id && n.status === 'completed');
            return isDone('b1') && isDone('b3') && nodes.some((n) => n.nodeId === 'b2' && n.status === 'running');
          };
          await eventually(settled);
        });
        await program.kill();
        const before = (await readFile(file, 'utf8')).trim().split('\n').sort();
        expect(before).toEqual(['a', 'b1', 'b2', 'b3']);

        const after: string[] = [];
        const second = await servers.startedAdapter({
          ...options,
          registry: crashRegistry((line) => after.push(line), Promise.resolve()),
        });
        const reconciler = createKafkaReconciler({
          adapter: second,
          cassandraClient: servers.cassandra,
          keyspace,
          statusTableName: 'statuses',
          stalledThresholdSeconds: 1,
        });
        let isSweeping = reconciles;
        const sweep = async () => {
          for (; isSweeping; await sleep(1000)) await reconciler.run();
        };
        const sweeps = sweep();
        const row = await servers.outcome(runId, { withinMs: 45_000 });
        isSweeping = false;
        await sweeps;
        expect(row.status).toBe('completed');
        expect(row.result?.context['j']).toEqual(['b1', 'b2', 'b3']);
        expect(after.sort()).toEqual(['b2', 'j', 'z']);
      } finally {
        await program.kill();
        await rm(dir, { recursive: true });
      }
    },
    2 * MINUTE_MS,
  );

  test(
    'a worker that was started while Kafka was away works once it is there',
    async () => {
      const linear = flow(
        'linear',
        [
          ['a', 'value'],
          ['b', 'see'],
        ],
        'a>b',
      );
      const options = { registry, blueprints: { linear } };
      await servers.adapter(options).use(async () => {}); // tables and topics
      const runId = await servers.submit(linear);
      const proxy = await openProxy();
      try {
        proxy.set('refuse');
        const kafka = new Kafka(through(proxy, { logLevel: logLevel.NOTHING }));
        const adapter = servers.adapter(options, { kafka });
        adapter.start();
        await eventually(
          () => servers.log.lines.some((l) => l.message.startsWith('The worker could not start')),
          30_000,
        );
        proxy.set('pass');
        expect((await servers.outcome(runId, { withinMs: 45_000 })).status).toBe('completed');
        await adapter.stop();
      } finally {
        await proxy.close();
      }
    },
    2 * MINUTE_MS,
  );
});
