import { setTimeout as sleep } from 'node:timers/promises';
import { BLOCK_MS } from '../../chaos/nodes.js';
import { FleetFixture } from './fleet-fixture.js';

const MINUTE_MS = 60_000;
/** Nodes of some seconds are to these as nodes of an hour to the defaults. */
const TIMING = {
  worker: { leaseMs: 3000, livenessMs: 2000, maxHoldMs: 2000 },
  consumer: { sessionTimeout: 3000, heartbeatInterval: 500, rebalanceTimeout: 5000 },
};

describe('nodes that take longer than all that workers are watched by', () => {
  let fixture: FleetFixture;

  beforeAll(async () => {
    fixture = await FleetFixture.open(TIMING);
  }, 2 * MINUTE_MS);

  afterAll(() => fixture.close(), MINUTE_MS);

  const joins = () => fixture.notes().log.filter((line) => /^The Kafka consumer has joined/.test(line.message)).length;

  it(
    'are executed once, whatever the group assigns meanwhile, and cost few messages',
    async () => {
      const runIds = await fixture.start('slow', 6);
      const { seat } = await fixture.busiest(runIds);
      const others = fixture.fleet.seats.filter((other) => other !== seat);
      const before = { joins: joins(), messages: fixture.notes().messages };
      await others[0]?.drain(40_000); // its own long nodes end first; it comes back at once, and all partitions move
      await fixture.completed(runIds);
      await fixture.fleet.untilReady();
      expect(fixture.executionsOf('b', runIds)).toHaveLength(runIds.length);
      // one that leaves and one that comes: two rebalances, of at most three members
      expect(joins() - before.joins).toBeLessThanOrEqual(6);
      // a node takes 20 s at most, its job goes around once in 2 s, and each rebalance brings what is open again
      expect(fixture.notes().messages - before.messages).toBeLessThan(runIds.length * (10 + 10));
    },
    2 * MINUTE_MS,
  );

  it(
    'also when they keep the process from doing anything else: then some others execute them, too, and one result counts',
    async () => {
      await fixture.fleet.untilReady();
      const before = { joins: joins(), messages: fixture.notes().messages };
      const runIds = await fixture.start('blocks', 1);
      await fixture.completed(runIds);
      await sleep(2 * BLOCK_MS); // whoever still executes it ends, and has rejoined the group
      const executed = fixture.executionsOf('b', runIds).length;
      console.log(`executed ${executed} times, ${joins() - before.joins} joins of the group`);
      // one more for each session that ends meanwhile
      expect(executed).toBeLessThanOrEqual(1 + Math.ceil(BLOCK_MS / TIMING.consumer.sessionTimeout));
      // each of them leaves and comes back, and three members join each time
      expect(joins() - before.joins).toBeLessThanOrEqual(executed * 2 * 3);
      expect(fixture.notes().messages - before.messages).toBeLessThan(30);
      expect(Math.max(...(await fixture.chains(3000)))).toBeLessThan(8000);
    },
    2 * MINUTE_MS,
  );
});
