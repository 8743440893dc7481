import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { ConnectError, IllegalStateError, UnavailableError } from '../../../src/core/errors.js';
import { RedisClient } from '../../../src/drivers/redis/redis-client.js';
import { RedisRunSignals } from '../../../src/drivers/redis/redis-run-signals.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { accepted, granted, LedgerRun } from '../../contract/ledger-bench.js';
import { SHAPES } from '../../support/blueprints.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { freePort, RedisServer } from '../../support/redis-server.js';
import { RedisFixture } from '../../support/redis-fixture.js';

const TIMEOUT_MS = 30_000;
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
}, TIMEOUT_MS);

async function server(...args: string[]): Promise<RedisServer> {
  const started = await RedisServer.start(args);
  opened.push(() => started.stop());
  return started;
}

async function proxyTo(port: number): Promise<FaultProxy> {
  const proxy = await FaultProxy.open(port);
  opened.push(() => proxy.close());
  return proxy;
}

async function fixtureAt(...args: ConstructorParameters<typeof RedisFixture>): Promise<RedisFixture> {
  const fixture = await RedisFixture.open(...args);
  opened.push(() => fixture.ledger.close());
  return fixture;
}

/** As the engine does: again, while it may succeed later. */
async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  const end = Date.now() + 15_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof UnavailableError) || Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

describe('Connecting to Redis', () => {
  it(
    'fails with ConnectError when nobody listens, and works once somebody does',
    async () => {
      const target = await server();
      await target.kill();
      const { client, ledger, logger } = new RedisFixture(target.url, undefined, {}, 600);
      const error = await ledger.connect().catch((e: unknown) => e);
      expect(error).toBeInstanceOf(ConnectError);
      expect((error as Error).message).toMatch(/^Redis could not be reached within 600 ms: .*ECONNREFUSED/);
      expect(logger.lines.filter((line) => line.level === 'warn')).toHaveLength(1);
      await expect(ledger.now()).rejects.toBeInstanceOf(IllegalStateError);
      await target.start();
      await ledger.connect();
      opened.push(() => ledger.close());
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
    'waits for a server that comes up later',
    async () => {
      const target = await server();
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
      const proxy = await proxyTo(await freePort());
      proxy.set('hole');
      const { ledger } = new RedisFixture(`redis://127.0.0.1:${proxy.port}`, undefined, {}, 1500);
      await expect(ledger.connect()).rejects.toBeInstanceOf(ConnectError);
    },
    TIMEOUT_MS,
  );

  it(
    'never shows the password, in errors or in the log',
    async () => {
      const target = await server('--requirepass', 'right-password');
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
      const target = await server('--maxmemory-policy', 'allkeys-lru');
      const { logger } = await fixtureAt(target.url);
      expect(logger.lines.filter((l) => l.level === 'warn').map((l) => l.message)).toEqual([
        expect.stringContaining('allkeys-lru'),
      ]);
    },
    TIMEOUT_MS,
  );

  it(
    'does not warn of noeviction, and does not insist on being told',
    async () => {
      const target = await server();
      const { client } = await fixtureAt(target.url);
      await client.call('acl', (redis) =>
        (redis as Redis).acl('SETUSER', 'app', 'on', '>pw', '~*', '&*', '+@all', '-config'),
      );
      const { logger, ledger } = await fixtureAt(`redis://app:pw@127.0.0.1:${target.port}`);
      expect(logger.lines.filter((l) => l.level === 'warn')).toEqual([]);
      expect(await ledger.now()).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

describe('A connection to Redis that fails', () => {
  const behindProxy = async () => {
    const target = await server();
    const proxy = await proxyTo(target.port);
    const fixture = await fixtureAt(`redis://127.0.0.1:${proxy.port}`);
    const run = await LedgerRun.open(fixture.ledger, SHAPES.diamond);
    return { target, proxy, fixture, run };
  };

  it(
    'makes commands fail after a second while nothing comes through, and is replaced',
    async () => {
      const { proxy, run } = await behindProxy();
      const claim = granted(await run.claim('a'));
      proxy.set('hole');
      const start = Date.now();
      await expect(run.settle(claim, 'a')).rejects.toBeInstanceOf(UnavailableError);
      expect(Date.now() - start).toBeLessThan(2000);
      proxy.set('pass');
      // the first try may have taken effect, late
      const { fired } = accepted(await untilAnswered(() => run.settle(claim, 'a', '1', { claim: 2 })));
      expect(fired.map((f) => f.node)).toEqual(['b', 'c']);
    },
    TIMEOUT_MS,
  );

  it(
    'makes commands fail at once when it is cut, and comes back by itself',
    async () => {
      const { proxy, run } = await behindProxy();
      const claims = Array.from({ length: 20 }, () => run.claim('a'));
      const outcomes = Promise.allSettled(claims);
      proxy.cut();
      for (const outcome of await outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(UnavailableError);
      }
      granted(await untilAnswered(() => run.claim('a')));
    },
    TIMEOUT_MS,
  );

  it(
    'comes back when connections were refused for a while',
    async () => {
      const { proxy, run, fixture } = await behindProxy();
      proxy.set('refuse');
      proxy.cut();
      await expect(untilRefused(() => run.claim('a'))).resolves.toBeInstanceOf(UnavailableError);
      proxy.set('pass');
      granted(await untilAnswered(() => run.claim('a')));
      expect(fixture.logger.lines.map((l) => l.message)).toContain('The connection to Redis works again.');
    },
    TIMEOUT_MS,
  );

  it(
    'is slow, not dead, when answers are late',
    async () => {
      const { proxy, run } = await behindProxy();
      proxy.set('delay', 150);
      const claim = granted(await run.claim('a'));
      expect(accepted(await run.settle(claim, 'a')).fired).toHaveLength(2);
    },
    TIMEOUT_MS,
  );

  it(
    'is left alone while it is idle',
    async () => {
      const { fixture } = await behindProxy();
      const id = () => fixture.client.call('id', (redis) => (redis as Redis).client('ID'));
      const before = await id();
      await new Promise((resolve) => setTimeout(resolve, 2500)); // longer than the timeout of the socket
      expect(await id()).toBe(before);
    },
    TIMEOUT_MS,
  );

  it(
    'is gone after close, and so is everything that waited for it',
    async () => {
      const { proxy, fixture, run } = await behindProxy();
      proxy.set('hole');
      const pending = run.claim('a').catch((e: unknown) => e);
      await fixture.ledger.close();
      expect(await pending).toBeInstanceOf(IllegalStateError);
      await expect(run.claim('a')).rejects.toBeInstanceOf(IllegalStateError);
      proxy.set('pass');
      await until(() => proxy.connections === 0);
    },
    TIMEOUT_MS,
  );
});

describe('A Redis server that fails', () => {
  it(
    'may forget runs and scripts: commands go on',
    async () => {
      const target = await server();
      const { ledger } = await fixtureAt(target.url);
      const run = await LedgerRun.open(ledger, SHAPES.chain);
      granted(await run.claim('a'));
      await target.kill();
      await expect(untilRefused(() => run.claim('a'))).resolves.toBeInstanceOf(UnavailableError);
      await target.start();
      expect(await untilAnswered(() => run.claim('a'))).toEqual({ kind: 'missing' });
      expect(await run.install()).toBe(true);
      await run.pass('a');
    },
    TIMEOUT_MS,
  );

  it(
    'may forget scripts on a living connection: commands go on',
    async () => {
      const target = await server();
      const { ledger, client } = await fixtureAt(target.url);
      const run = await LedgerRun.open(ledger, SHAPES.wide);
      await run.pass('a');
      await client.call('flush', (redis) => redis.script('FLUSH'));
      const answers = await Promise.all(['b1', 'b2', 'b3'].map((node) => run.pass(node)));
      expect(answers).toHaveLength(3);
    },
    TIMEOUT_MS,
  );

  it(
    'that hangs is not available, and goes on when it wakes',
    async () => {
      const target = await server();
      const { ledger } = await fixtureAt(target.url);
      const run = await LedgerRun.open(ledger, SHAPES.chain);
      target.freeze();
      await expect(run.claim('a')).rejects.toBeInstanceOf(UnavailableError);
      target.resume();
      granted(await untilAnswered(() => run.claim('a')));
    },
    TIMEOUT_MS,
  );

  it(
    'that is out of memory refuses for now and has changed nothing',
    async () => {
      const target = await server();
      const { ledger, client } = await fixtureAt(target.url);
      const run = await LedgerRun.open(ledger, SHAPES.diamond);
      const claim = granted(await run.claim('a'));
      const before = (await ledger.read(run.runId)).fields;
      await client.call('config', (redis) => redis.config('SET', 'maxmemory', '1'));
      await expect(run.settle(claim, 'a')).rejects.toBeInstanceOf(UnavailableError);
      await expect(ledger.beat('w', 1000)).rejects.toBeInstanceOf(UnavailableError);
      expect((await ledger.read(run.runId)).fields).toEqual(before);
      await client.call('config', (redis) => redis.config('SET', 'maxmemory', '0'));
      accepted(await run.settle(claim, 'a'));
    },
    TIMEOUT_MS,
  );

  it(
    'that became a replica is not available until it is a master again',
    async () => {
      const target = await server();
      const { ledger, client } = await fixtureAt(target.url);
      const run = await LedgerRun.open(ledger, SHAPES.chain);
      await client.call('replicaof', async (redis) => (redis as Redis).replicaof('127.0.0.1', await freePort()));
      await expect(run.claim('a')).rejects.toBeInstanceOf(UnavailableError);
      await untilAnswered(() => client.call('replicaof', (redis) => (redis as Redis).replicaof('NO', 'ONE')));
      granted(await untilAnswered(() => run.claim('a')));
    },
    TIMEOUT_MS,
  );

  it(
    'that refuses a command for good is a bug to be seen',
    async () => {
      const target = await server();
      const { ledger, client, prefix } = await fixtureAt(target.url);
      await client.call('set', (redis) => redis.set(`${prefix}:{r}`, 'no hash'));
      await expect(new LedgerRun(ledger, SHAPES.chain).ledger.read('r')).rejects.toMatchObject({
        name: 'ReplyError',
        message: expect.stringContaining('WRONGTYPE'),
      });
      const claim = { node: 'a', turn: '1', worker: 'w', leaseMs: 1, floor: 0, mode: 'job' } as const;
      await expect(ledger.claim('r', claim)).rejects.toMatchObject({ name: 'ReplyError' });
    },
    TIMEOUT_MS,
  );

  it(
    'answers a claim and a settling with as many reads in a large run as in a small one',
    async () => {
      const target = await server();
      const { ledger, client } = await fixtureAt(target.url);
      const reads = async () => {
        const info = await client.call('info', (redis) => redis.info('commandstats'));
        return [...info.matchAll(/cmdstat_(h\w+):calls=(\d+)/g)].map(([, name, calls]) => `${name} ${calls}`);
      };
      const cost = async (turns: number) => {
        const run = new LedgerRun(ledger, SHAPES.diamond);
        const state = await run.fresh();
        for (let i = 0; i < turns; i++) state.makeReady(`other ${i}`, '1', []);
        await ledger.install(run.runId, state);
        await client.call('config', (redis) => redis.config('RESETSTAT'));
        accepted(await run.settle(granted(await run.claim('a')), 'a', '1', { claim: 2, maxTurns: 1_000_000 }));
        return reads();
      };
      expect(await cost(20_000)).toEqual(await cost(10));
    },
    TIMEOUT_MS,
  );
});

describe('A connection of the caller', () => {
  it(
    'is used as it is and stays open',
    async () => {
      const target = await server();
      const redis = new Redis(target.url, { keyPrefix: 'mine:' });
      opened.push(() => redis.quit());
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
      const target = await server();
      const redis = new Redis(target.url);
      opened.push(async () => redis.disconnect());
      const { ledger } = await fixtureAt(redis);
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
      const target = await server();
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
      const target = await server('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1');
      const setup = new Redis(target.url);
      await setup.cluster('ADDSLOTSRANGE', 0, 16383);
      await until(async () => String(await setup.cluster('INFO')).includes('cluster_state:ok'));
      await setup.quit();
      const cluster = new Cluster([{ host: '127.0.0.1', port: target.port }], { enableAutoPipelining: true });
      opened.push(async () => cluster.disconnect());
      const { ledger } = await fixtureAt(cluster);
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
      opened.push(() => signals.close());
      const heard = new Promise((resolve) => signals.onCancel(resolve));
      await signals.announceCancel('r1');
      expect(await heard).toBe('r1');
    },
    TIMEOUT_MS,
  );
});

async function untilRefused(call: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      await call();
    } catch (error) {
      return error;
    }
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('It did not happen.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
