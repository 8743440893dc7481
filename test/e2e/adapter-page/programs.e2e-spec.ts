import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { AdapterFixture } from '../../support/adapter-fixture.js';
import { Program } from '../../support/program.js';
import { RedisServer } from '../../support/redis-server.js';

/**
 * The programs of the adapter's page as they are, but for the name of the package. They have the names of topic, group
 * and keyspace written in them: the loader replaces these three, so that tests do not disturb one another. Redis is a
 * server of the test's own for the same reason: the page's programs cannot name a key prefix.
 */
const PROGRAMS = path.resolve(import.meta.dirname, 'programs');
const MINUTE_MS = 60_000;

describe("the page's programs", () => {
  let redis: RedisServer;
  let servers: AdapterFixture;
  const programs: Program[] = [];

  const run = (name: string) => {
    const names = {
      'flowcraft-jobs': servers.topic,
      'flowcraft-worker-group': servers.groupId,
      flowcraft_ks: servers.keyspace,
    };
    const program = Program.start(path.join(PROGRAMS, `${name}.ts`), {
      ...servers.env,
      KAFKAJS_NO_PARTITIONER_WARNING: '1', // about the producer of the page's client
      TEST_REPLACED_NAMES: JSON.stringify(names),
    });
    programs.push(program);
    return program;
  };

  /** The page's own commands. */
  const createAsThePageDoes = async () => {
    const { cassandra, keyspace, kafka, topic } = servers;
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] });
    await admin.disconnect();
    const replication = `{'class': 'SimpleStrategy', 'replication_factor': 1}`;
    await cassandra.execute(`CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH REPLICATION = ${replication}`);
    await cassandra.execute(`CREATE TABLE ${keyspace}.contexts (runId text PRIMARY KEY, data text)`);
    await cassandra.execute(
      `CREATE TABLE ${keyspace}.statuses (runId text PRIMARY KEY, status text, updated_at timestamp)`,
    );
  };

  beforeEach(async () => {
    redis = await RedisServer.start();
    servers = await AdapterFixture.open(redis.url);
  }, MINUTE_MS);

  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.kill()));
    await servers.close();
    await redis.stop();
  }, MINUTE_MS);

  test.each([
    ['by its own commands', createAsThePageDoes],
    ['by the worker', async () => {}],
  ])(
    'run, and a stalled run is resumed, on a topic and tables created %s',
    async (_by, create) => {
      await create();
      const worker = run('worker');
      await worker.writes(/Worker \S+ takes jobs/);

      const client = run('client');
      const runId = (await client.writes(/Run ID: (\d+) COMPLETED/))[1] ?? '';
      await client.writes(/Final Output: /);
      expect(await client.exit).toBe(0);
      expect(client.stderr).toBe('');
      const row = await servers.row(runId);
      expect(row?.result?.context).toMatchObject({
        moderation_result: 'published without private data',
        redacted: 'Write to [gone] or call [gone], please.',
      });

      const lost = randomUUID();
      const context = { userPost: 'Hello, fools.', blueprintId: '400' };
      await servers.write(lost, context, new Date(Date.now() - 10 * MINUTE_MS));
      const reconcile = run('reconcile-main');
      await reconcile.writes(/Reconciliation complete. Stalled: 1, Resumed: 1, Failed: 0/);
      const resumed = await servers.outcome(lost);
      expect(resumed).toMatchObject({ status: 'completed', result: { context: { moderation_result: 'banned' } } });
      reconcile.child.stdin.end('close\n');
      expect(await reconcile.exit).toBe(0);
    },
    3 * MINUTE_MS,
  );
});
