import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { ConnectError, IllegalStateError, UnavailableError } from '../../../src/core/errors.js';
import { RedisClient } from '../../../src/drivers/redis/redis-client.js';
import { RedisRunSignals } from '../../../src/drivers/redis/redis-run-signals.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { granted, LedgerRun } from '../../contract/ledger-bench.js';
import { SHAPES } from '../../support/blueprints.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { RedisFixture } from '../../support/redis-fixture.js';
import { RedisLab, TIMEOUT_MS, until, untilAnswered } from '../../support/redis-lab.js';
import { freePort } from '../../support/redis-server.js';

const lab = new RedisLab();
afterEach(() => lab.close(), TIMEOUT_MS);

describe('Connecting to Redis', () => {
  it(
    'fails with ConnectError when nobody listens, and works once somebody does',
    async () => {
      const target = await lab.server();
      await target.kill();
      const { client, ledger, logger } = new RedisFixture(target.url, undefined, {}, 600);
      const error = await ledger.connect().catch((e: unknown) => e);
      expect(error).toBeInstanceOf(ConnectError);
      expect((error as Error).message).toMatch(/^Redis could not be reached within 600 ms: .*ECONNREFUSED/);
      expect(logger.lines.filter((line) => line.level === 'warn')).toHaveLength(1);
      await expect(ledger.now()).rejects.toBeInstanceOf(IllegalStateError);
      await target.start();
      await ledger.connect();
      lab.onClose(() => ledger.close());
      expect(await ledger.now()).toBeGreaterThan(0);
      // a connection that was given up before must not have lost its will to come back
      await client
        .call('kill', async (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no'))
        .catch((e: unknown) => e);
      expect(await untilAnswered(() => ledger.now())).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it(
    'fails with ConfigurationError when the server lacks the database',
    async () => {
      const { url } = await lab.server();
      const { ledger } = new RedisFixture(`${url}/9999`);
      await expect(ledger.connect()).rejects.toMatchObject({
        code: 'FLOW_CONFIGURATION',
        problems: [{ path: 'redis', message: expect.stringContaining("'9999'") }],
      });
      const other = new RedisFixture(`${url}/3`);
      await other.ledger.connect();
      await other.ledger.close();
    },
    TIMEOUT_MS,
  );

  it(
    'waits for a server that comes up later',
    async () => {
      const target = await lab.server();
      await target.kill();
      const fixture = new RedisFixture(target.url);
      const connected = fixture.ledger.connect();
      await target.start();
      await connected;
      await fixture.ledger.close();
    },
    TIMEOUT_MS,
  );

  it(
    'fails with ConnectError when the server takes connections and says nothing',
    async () => {
      const proxy = await lab.proxyTo(await freePort());
      proxy.set('hole');
      const { ledger } = new RedisFixture(`redis://127.0.0.1:${proxy.port}`, undefined, {}, 1500);
      await expect(ledger.connect()).rejects.toBeInstanceOf(ConnectError);
    },
    TIMEOUT_MS,
  );

  it(
    'never shows the password, in errors or in the log',
    async () => {
      const target = await lab.server('--requirepass', 'right-password');
      const { ledger, logger } = new RedisFixture(
        `redis://:secret-password@127.0.0.1:${target.port}`,
        undefined,
        {},
        500,
      );
      const error = await ledger.connect().catch((e: unknown) => e);
      expect((error as Error).message).toMatch(/WRONGPASS/);
      expect(inspect([error, logger.lines], { depth: 20 })).not.toContain('secret-password');
    },
    TIMEOUT_MS,
  );

  it(
    'warns of a server that evicts keys',
    async () => {
      const target = await lab.server('--maxmemory-policy', 'allkeys-lru');
      const { logger } = await lab.fixtureAt(target.url);
      expect(logger.lines.filter((l) => l.level === 'warn').map((l) => l.message)).toEqual([
        expect.stringContaining('allkeys-lru'),
      ]);
    },
    TIMEOUT_MS,
  );

  it(
    'does not warn of noeviction, and does not insist on being told',
    async () => {
      const target = await lab.server();
      const { client } = await lab.fixtureAt(target.url);
      await client.call('acl', (redis) =>
        (redis as Redis).acl('SETUSER', 'app', 'on', '>pw', '~*', '&*', '+@all', '-config'),
      );
      const { logger, ledger } = await lab.fixtureAt(`redis://app:pw@127.0.0.1:${target.port}`);
      expect(logger.lines.filter((l) => l.level === 'warn')).toEqual([]);
      expect(await ledger.now()).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

describe('A connection of the caller', () => {
  it(
    'is used as it is and stays open',
    async () => {
      const target = await lab.server();
      const redis = new Redis(target.url, { keyPrefix: 'mine:' });
      lab.onClose(() => redis.quit());
      const fixture = new RedisFixture(redis);
      await fixture.ledger.connect();
      const run = await LedgerRun.open(fixture.ledger, SHAPES.diamond);
      await Promise.all([run.pass('a'), fixture.ledger.touch([run.runId])]);
      expect(await redis.exists(`${fixture.prefix}:{${run.runId}}`)).toBe(1);
      await fixture.ledger.close();
      expect(redis.status).toBe('ready');
      expect(redis.listenerCount('error')).toBe(0);
      expect(await redis.ping()).toBe('PONG');
    },
    TIMEOUT_MS,
  );

  it(
    'that would wait for ever for an answer does not make us wait',
    async () => {
      const target = await lab.server();
      const redis = new Redis(target.url);
      lab.onClose(async () => redis.disconnect());
      const { ledger } = await lab.fixtureAt(redis);
      await target.kill();
      await expect(ledger.now()).rejects.toBeInstanceOf(UnavailableError);
      await target.start();
      expect(await untilAnswered(() => ledger.now())).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it(
    'is closed only when the last of its users is done, if it is ours',
    async () => {
      const target = await lab.server();
      const client = new RedisClient({ connection: { port: target.port } }, new SystemClock(), new RecordingLogger());
      await Promise.all([client.connect(), client.connect()]);
      await client.close();
      expect(await client.call('ping', (redis) => redis.ping())).toBe('PONG');
      await client.close();
      await expect(client.call('ping', (redis) => redis.ping())).rejects.toBeInstanceOf(IllegalStateError);
    },
    TIMEOUT_MS,
  );

  it(
    'may be one to a cluster: the keys of a run share a slot',
    async () => {
      const target = await lab.server('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1');
      const setup = new Redis(target.url);
      await setup.cluster('ADDSLOTSRANGE', 0, 16383);
      await until(async () => String(await setup.cluster('INFO')).includes('cluster_state:ok'));
      await setup.quit();
      const cluster = new Cluster([{ host: '127.0.0.1', port: target.port }], { enableAutoPipelining: true });
      lab.onClose(async () => cluster.disconnect());
      const { ledger } = await lab.fixtureAt(cluster);
      const run = new LedgerRun(ledger, SHAPES.diamond);
      const lock = await ledger.lock(run.runId, 'w1', 5000);
      expect(await run.install('i1', lock.kind === 'locked' ? lock.lock : undefined)).toBe(true);
      await run.pass('a');
      await Promise.all([run.pass('b'), run.pass('c'), ledger.touch(['r1', 'r2', 'r3']), ledger.beat('w1', 1000)]);
      granted(await run.claim('d'));
      expect((await ledger.idle(0, 10)).sort()).toEqual(['r1', 'r2', 'r3']);
      const logger = new RecordingLogger();
      const clock = new SystemClock();
      const signals = new RedisRunSignals(new RedisClient({ connection: cluster }, clock, logger), clock, logger);
      await signals.connect();
      lab.onClose(() => signals.close());
      const heard = new Promise((resolve) => signals.onCancel(resolve));
      await signals.announceCancel('r1');
      expect(await heard).toBe('r1');
    },
    TIMEOUT_MS,
  );
});
