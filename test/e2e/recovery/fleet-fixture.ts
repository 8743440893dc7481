import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { FlowcraftClient } from '../../../src/index.js';
import { openApplication } from '../../chaos/application.js';
import { Fleet, type Seat } from '../../chaos/fleet.js';
import { registryOf } from '../../chaos/nodes.js';
import { readNotes, type Execution, type Notes } from '../../chaos/notes.js';
import type { Timing } from '../../chaos/protocol.js';
import { Random } from '../../chaos/random.js';
import { Servers } from '../../chaos/servers.js';
import { BROKERS } from '../../support/kafka-fixture.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { openServers } from '../../support/servers.js';

const WORKERS = 3;
const portOf = (address: string) => address.split(':').at(-1);
const idle = { started: () => {}, finished: () => {}, nonce: () => '', random: () => 0 };

/** Three worker processes on the servers of all tests, and a client in this process. */
export class FleetFixture {
  private constructor(
    private readonly directory: string,
    private readonly names: ReturnType<typeof openServers>,
    private readonly app: INestApplicationContext,
    readonly fleet: Fleet,
  ) {}

  static async open(timing?: Timing): Promise<FleetFixture> {
    const names = openServers('recovery');
    const directory = mkdtempSync(path.join(tmpdir(), 'recovery-'));
    const servers = new Servers({
      CHAOS_KAFKA_PORT: portOf(BROKERS[0] ?? ''),
      CHAOS_CASSANDRA_PORT: portOf(process.env['CASSANDRA_CONTACT_POINTS'] ?? '127.0.0.1:9042'),
      CHAOS_REDIS_PORT: portOf(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'),
    });
    const { topicName: topic, keyspace, redisKeyPrefix: prefix } = names.options;
    const common = { directory, topic, keyspace, prefix, broker: servers.broker, stalledThresholdSeconds: 300 };
    const setup = { ...common, name: 'client', seed: 0, ports: servers.ports, takesJobs: false };
    const app = await openApplication(setup, registryOf(idle), new RecordingLogger());
    const settings = { ...common, isSteady: true, ...(timing ? { timing } : {}) };
    const fleet = new Fleet(settings, servers, new Random(1), () => 0);
    for (let i = 0; i < WORKERS; i++) await fleet.addSeat();
    await fleet.untilReady();
    return new FleetFixture(directory, names, app, fleet);
  }

  async close(): Promise<void> {
    await this.fleet.stop();
    await this.app.close();
    await this.names.remove();
    rmSync(this.directory, { recursive: true });
  }

  get client(): FlowcraftClient {
    return this.app.get(FlowcraftClient);
  }

  notes(): Notes {
    return readNotes(this.directory);
  }

  /** How often these runs have executed a node. */
  executionsOf(nodeId: string, runIds: readonly string[]): Execution[] {
    return [...this.notes().executions.values()].filter((e) => e.nodeId === nodeId && runIds.includes(e.runId));
  }

  async start(blueprintId: string, count: number): Promise<string[]> {
    const started = Array.from({ length: count }, (_, number) =>
      this.client.start(blueprintId, { number }, { runId: `${blueprintId}-${randomUUID()}` }),
    );
    return (await Promise.all(started)).map(({ runId }) => runId);
  }

  async completed(runIds: readonly string[]): Promise<void> {
    const ends = await Promise.all(runIds.map((runId) => this.client.waitForWorkflow(runId)));
    expect(ends.filter(({ status }) => status !== 'completed')).toEqual([]);
  }

  /** Waits until all of these runs execute their node 'b'; the worker that executes most of them, and those. */
  async busiest(runIds: readonly string[]): Promise<{ seat: Seat; held: Execution[] }> {
    let held: Execution[] = [];
    while (held.length < runIds.length) {
      await sleep(100);
      held = this.executionsOf('b', runIds);
    }
    const of = (seat: Seat) => held.filter((e) => e.worker === seat.name);
    const [seat] = [...this.fleet.seats].sort((x, y) => of(y).length - of(x).length);
    if (!seat) throw new Error('There is no worker.');
    return { seat, held: of(seat) };
  }

  /** Starts chains for so long, four a second, and answers how long each took. */
  async chains(ms: number): Promise<number[]> {
    const took: Promise<number>[] = [];
    for (const end = Date.now() + ms; Date.now() < end; await sleep(250)) {
      const begun = Date.now();
      took.push(this.start('chain', 1).then(async (runIds) => (await this.completed(runIds), Date.now() - begun)));
    }
    return Promise.all(took);
  }
}
