import { Client } from 'cassandra-driver';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { CONTACT_POINTS, SOURCE } from '../../support/cassandra-fixture.js';
import { BROKERS } from '../../support/kafka-fixture.js';
import { Program } from '../../support/program.js';
import { REDIS_URL, removeKeys } from '../../support/redis-fixture.js';

const SERVERS = {
  KAFKA_BROKERS: BROKERS.join(','),
  CASSANDRA_CONTACT_POINTS: CONTACT_POINTS.join(','),
  CASSANDRA_DATACENTER: SOURCE.localDataCenter,
  REDIS_URL,
};

describe('the examples, on servers', () => {
  beforeAll(removeWhatTheyCreate);
  afterAll(removeWhatTheyCreate);

  it("the README's order is approved, charged once, and the program ends by itself", async () => {
    const { code, output } = await run('examples/quick-start/orders.ts', []);
    expect(output.trim()).toMatch(/^completed charged 42 once for [\w-]+:charge@1$/);
    expect(code).toBe(0);
  }, 120_000);

  it('two worker processes moderate texts as the in-process runtime does', async () => {
    const { code, output } = await run('examples/content-moderation/src/demo/demo.ts', [
      ...['--workers', '2', '--limit', '80', '--verify'],
    ]);
    expect(output).toContain("80 of 80 verdicts are those of flowcraft's own runtime.");
    expect(code).toBe(0);
  }, 180_000);
});

async function run(file: string, args: string[]): Promise<{ code: number | null; output: string }> {
  const program = Program.start(file, { ...SERVERS, FLOWCRAFT_SERVERS: '1' }, args);
  try {
    return { code: await program.exit, output: program.output };
  } finally {
    await program.kill();
  }
}

/** The names in the programs are fixed: a reader should see them. */
async function removeWhatTheyCreate(): Promise<void> {
  const cassandra = new Client(SOURCE);
  const redis = new Redis(REDIS_URL);
  const admin = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).admin();
  await Promise.all([cassandra.connect(), admin.connect()]);
  for (const name of ['orders', 'moderation']) {
    await cassandra.execute(`DROP KEYSPACE IF EXISTS ${name}`);
    await removeKeys(redis, name);
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${name}-jobs`));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  }
  await Promise.all([cassandra.shutdown(), admin.disconnect()]);
  redis.disconnect();
}
