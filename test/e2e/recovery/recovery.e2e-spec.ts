import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { FlowcraftClient } from '../../../src/index.js';
import { openApplication } from '../../chaos/application.js';
import { Fleet, type Seat } from '../../chaos/fleet.js';
import { registryOf } from '../../chaos/nodes.js';
import { readNotes, type Execution } from '../../chaos/notes.js';
import { Random } from '../../chaos/random.js';
import { figures } from '../../chaos/report.js';
import { Servers } from '../../chaos/servers.js';
import { BROKERS } from '../../support/kafka-fixture.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { openServers } from '../../support/servers.js';

const MINUTE_MS = 60_000;
const portOf = (address: string) => address.split(':').at(-1);
const idle = { started: () => {}, finished: () => {}, nonce: () => '', random: () => 0 };

describe('a fleet of worker processes with the default settings', () => {
  const names = openServers('recovery');
  const directory = mkdtempSync(path.join(tmpdir(), 'recovery-'));
  let fleet: Fleet;
  let app: INestApplicationContext;
  let client: FlowcraftClient;

  beforeAll(async () => {
    const servers = new Servers({
      CHAOS_KAFKA_PORT: portOf(BROKERS[0] ?? ''),
      CHAOS_CASSANDRA_PORT: portOf(process.env['CASSANDRA_CONTACT_POINTS'] ?? '127.0.0.1:9042'),
      CHAOS_REDIS_PORT: portOf(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'),
    });
    const { topicName: topic, keyspace, redisKeyPrefix: prefix } = names.options;
    const common = {
      directory,
      topic,
      keyspace,
      prefix,
      broker: servers.broker,
      stalledThresholdSeconds: 300,
      isSteady: true,
    };
    const setup = { ...common, name: 'client', seed: 0, ports: servers.ports, takesJobs: false };
    app = await openApplication(setup, registryOf(idle), new RecordingLogger());
    client = app.get(FlowcraftClient);
    fleet = new Fleet(common, servers, new Random(1), () => 0);
    for (let i = 0; i < 3; i++) await fleet.addSeat();
    await fleet.untilReady();
  }, 2 * MINUTE_MS);

  afterAll(async () => {
    await fleet.stop();
    await app.close();
    await names.remove();
    rmSync(directory, { recursive: true });
  }, MINUTE_MS);

  const executions = () => [...readNotes(directory).executions.values()];

  async function start(blueprintId: string, count: number): Promise<string[]> {
    const started = Array.from({ length: count }, (_, number) =>
      client.start(blueprintId, { number }, { runId: `${blueprintId}-${randomUUID()}` }),
    );
    return (await Promise.all(started)).map(({ runId }) => runId);
  }

  async function completed(runIds: readonly string[]): Promise<void> {
    const ends = await Promise.all(runIds.map((runId) => client.waitForWorkflow(runId)));
    expect(ends.filter(({ status }) => status !== 'completed')).toEqual([]);
  }

  /** Waits until all of these runs execute their long node; the worker that executes most of them. */
  async function busiest(runIds: readonly string[]): Promise<{ seat: Seat; held: Execution[] }> {
    let held: Execution[] = [];
    while (held.length < runIds.length) {
      await sleep(100);
      held = executions().filter((e) => e.nodeId === 'b' && runIds.includes(e.runId));
    }
    const of = (seat: Seat) => held.filter((e) => e.worker === seat.name);
    const [seat] = [...fleet.seats].sort((x, y) => of(y).length - of(x).length);
    if (!seat) throw new Error('There is no worker.');
    return { seat, held: of(seat) };
  }

  /** Starts chains for so long, some a second, and answers how long each took. */
  async function chains(ms: number): Promise<number[]> {
    const took: Promise<number>[] = [];
    for (const end = Date.now() + ms; Date.now() < end; await sleep(250)) {
      const begun = Date.now();
      took.push(start('chain', 1).then(async (runIds) => (await completed(runIds), Date.now() - begun)));
    }
    return Promise.all(took);
  }

  it(
    'continues the work of a worker that is killed within 15 s on others',
    async () => {
      const runIds = await start('slow', 12);
      const { seat, held } = await busiest(runIds);
      const killedAt = Date.now();
      seat.kill();
      await completed(runIds);
      const lost = held.filter((e) => e.finishedAt === undefined || e.finishedAt > killedAt);
      const after = executions().filter((e) => e.startedAt >= killedAt);
      const gaps = lost.flatMap((e) => {
        const next = after.find((other) => other.runId === e.runId && other.nodeId === e.nodeId);
        return next ? [next.startedAt - killedAt] : [];
      });
      expect(gaps.length).toBeGreaterThan(0);
      console.log(`taken over after a kill (ms): ${JSON.stringify(figures(gaps))}`);
      expect(Math.max(...gaps)).toBeLessThan(15_000);
    },
    2 * MINUTE_MS,
  );

  it(
    'continues the work of a worker that drains at once, and lets its long nodes end',
    async () => {
      await fleet.untilReady();
      const runIds = await start('slow', 6);
      const { seat } = await busiest(runIds);
      const drained = seat.drain(40_000);
      const took = await chains(5000);
      expect(await drained).toBe(true);
      await completed(runIds);
      console.log(`runs while a worker drained (ms): ${JSON.stringify(figures(took))}`);
      expect(Math.max(...took)).toBeLessThan(8000);
      const times = executions().filter((e) => e.nodeId === 'b' && runIds.includes(e.runId)).length;
      expect(times).toBe(runIds.length);
    },
    2 * MINUTE_MS,
  );

  it(
    'loses no run in a rolling restart, which adds less than 2 s to the slowest runs',
    async () => {
      await fleet.untilReady();
      const usual = figures(await chains(15_000));
      let isRolling = true;
      const rolling = async () => {
        for (const seat of fleet.seats) {
          expect(await seat.drain(40_000)).toBe(true);
          await fleet.untilReady();
        }
        isRolling = false;
      };
      const rolled = rolling();
      const took: number[] = [];
      while (isRolling) took.push(...(await chains(3000)));
      await rolled;
      const meanwhile = figures(took);
      console.log(`runs (ms): ${JSON.stringify(usual)}; in a rolling restart: ${JSON.stringify(meanwhile)}`);
      expect(meanwhile.p99 - usual.p99).toBeLessThan(2000);
    },
    3 * MINUTE_MS,
  );
});
