import { afterEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { IllegalStateError, UnavailableError } from '../../../src/core/errors.js';
import { accepted, granted, LedgerRun } from '../../contract/ledger-bench.js';
import { SHAPES } from '../../support/blueprints.js';
import { RedisLab, TIMEOUT_MS, until, untilAnswered, untilRefused } from '../../support/redis-lab.js';
import { freePort } from '../../support/redis-server.js';

const lab = new RedisLab();
afterEach(() => lab.close(), TIMEOUT_MS);

describe('A connection to Redis that fails', () => {
  const behindProxy = async () => {
    const target = await lab.server();
    const proxy = await lab.proxyTo(target.port);
    const fixture = await lab.fixtureAt(`redis://127.0.0.1:${proxy.port}`);
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
      const target = await lab.server();
      const { ledger } = await lab.fixtureAt(target.url);
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
      const target = await lab.server();
      const { ledger, client } = await lab.fixtureAt(target.url);
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
      const target = await lab.server();
      const { ledger } = await lab.fixtureAt(target.url);
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
      const target = await lab.server();
      const { ledger, client } = await lab.fixtureAt(target.url);
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
      const target = await lab.server();
      const { ledger, client } = await lab.fixtureAt(target.url);
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
      const target = await lab.server();
      const { ledger, client, prefix } = await lab.fixtureAt(target.url);
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
      const target = await lab.server();
      const { ledger, client } = await lab.fixtureAt(target.url);
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
