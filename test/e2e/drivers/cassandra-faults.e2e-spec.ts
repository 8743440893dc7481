import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { Client } from 'cassandra-driver';
import type { CassandraRunStore } from '../../../src/drivers/cassandra/cassandra-run-store.js';
import { CassandraFixture, CONTACT_POINTS, DATA_CENTRE, SOURCE } from '../../support/cassandra-fixture.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { runRecord } from '../../support/run-records.js';
import { turnRecord } from '../../support/turn-records.js';

const [host = '127.0.0.1', port = '9042'] = (CONTACT_POINTS[0] ?? '').split(':');
const fixture = new CassandraFixture();
let proxy: FaultProxy;
const newRun = () => `run-${randomUUID()}`;
const through = (to: number) => ({ contactPoints: [`127.0.0.1:${to}`], localDataCenter: DATA_CENTRE });

async function took(work: Promise<unknown>): Promise<{ ms: number; error: unknown }> {
  const start = performance.now();
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  return { ms: performance.now() - start, error };
}

/** Repeats until it works, for at most 10 s; the milliseconds that it took. */
async function untilServed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (;;) {
    const { error } = await took(work());
    const ms = performance.now() - start;
    if (error === undefined) return ms;
    if (ms > 10_000) throw error as Error;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: free } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return free;
}

beforeAll(async () => {
  await fixture.ready();
  proxy = await FaultProxy.open(Number(port), host);
}, 60_000);

afterEach(async () => {
  proxy.set('pass');
  await fixture.closeStores();
  await untilServed(async () => expect(proxy.connections).toBe(0));
}, 20_000);

afterAll(async () => {
  await fixture.close();
  await proxy.close();
}, 60_000);

describe('at start', () => {
  it('a refused connection is a ConnectError in time', async () => {
    const store = fixture.store({ source: through(await closedPort()), connectTimeoutMs: 1500 });
    const { ms, error } = await took(store.connect());
    expect(error).toMatchObject({ code: 'FLOW_CONNECT_FAILED', message: expect.stringContaining('ECONNREFUSED') });
    expect(ms).toBeGreaterThan(1400);
    expect(ms).toBeLessThan(2500);
  });

  it('a data centre that does not exist is a wrong option', async () => {
    const store = fixture.store({ source: { ...SOURCE, localDataCenter: 'nodc' }, connectTimeoutMs: 5000 });
    await expect(store.connect()).rejects.toMatchObject({
      code: 'FLOW_CONFIGURATION',
      problems: [{ path: 'cassandra.localDataCenter', message: expect.stringMatching(/'nodc'.*'\w+'/) }],
    });
  });

  it('a server that does not answer is a ConnectError in time, and connecting again works once it does', async () => {
    proxy.set('hole');
    const store = fixture.store({ source: through(proxy.port), connectTimeoutMs: 1000 });
    const { ms, error } = await took(store.connect());
    expect(error).toMatchObject({ code: 'FLOW_CONNECT_FAILED' });
    expect(ms).toBeLessThan(2000);
    proxy.set('pass');
    await untilServed(() => store.connect());
    expect(await store.run('nobody')).toBeUndefined();
  }, 20_000);

  it('a server that comes up in time is waited for', async () => {
    const late = await closedPort();
    const store = fixture.store({ source: through(late), connectTimeoutMs: 20_000 });
    const connecting = store.connect();
    const logger = fixture.logger;
    while (!logger.lines.some((line) => line.message.includes('not reachable yet'))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const server = await FaultProxy.open(Number(port), host, late);
    await connecting;
    expect(await store.run('nobody')).toBeUndefined();
    await store.close();
    await server.close();
  }, 30_000);

  it('closing ends the wait', async () => {
    const store = fixture.store({ source: through(await closedPort()), connectTimeoutMs: 20_000 });
    const connecting = took(store.connect());
    await store.close();
    const { ms, error } = await connecting;
    expect(error).toMatchObject({ code: expect.stringMatching(/FLOW_(ILLEGAL_STATE|CONNECT_FAILED)/) });
    expect(ms).toBeLessThan(5000);
  }, 20_000);

  it('a data centre that is not there is told at once', async () => {
    const store = fixture.store({
      source: { contactPoints: CONTACT_POINTS, localDataCenter: 'mars' },
      connectTimeoutMs: 20_000,
    });
    const { ms, error } = await took(store.connect());
    expect(error).toMatchObject({ code: 'FLOW_CONFIGURATION', message: expect.stringContaining('mars') });
    expect(ms).toBeLessThan(5000);
  }, 20_000);
});

it('a start goes on when the server was away while the schema was looked at', async () => {
  const store = fixture.store({ source: through(proxy.port) });
  await store.connect();
  proxy.set('refuse');
  proxy.cut();
  const provisioned = store.provision();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  proxy.set('pass');
  await provisioned;
  expect(await store.run('none')).toBeUndefined();
}, 30_000);

describe('while running', () => {
  let store: CassandraRunStore;

  beforeEach(async () => {
    store = await fixture.ready({ source: through(proxy.port), provision: { keyspace: 'off', tables: 'off' } });
  });

  it('a black hole is an UnavailableError within about 3 s, and over when the server answers again', async () => {
    const runId = newRun();
    const write = (token: number) => store.write({ runId, record: turnRecord('a', { token }), values: [] });
    await write(1);
    proxy.set('hole');
    const calls = [write(2), store.turn(runId, 'a', '1'), store.accept(runRecord({ runId })), store.status(runId)];
    for (const { ms, error } of await Promise.all(calls.map(took))) {
      expect(error).toMatchObject({ code: 'FLOW_UNAVAILABLE', server: 'cassandra', retryable: true });
      expect(ms).toBeLessThan(4500);
    }
    proxy.set('pass');
    expect(await untilServed(() => write(3))).toBeLessThan(3000);
    expect((await store.turn(runId, 'a', '1'))?.token).toBe(3);
  }, 30_000);

  it('a client that the user made waits no longer either', async () => {
    const client = new Client(through(proxy.port));
    const borrowed = fixture.store({ source: client });
    await borrowed.connect();
    await borrowed.run('warm');
    proxy.set('hole');
    const { ms, error } = await took(borrowed.run('x'));
    expect(error).toMatchObject({ code: 'FLOW_UNAVAILABLE' });
    expect(ms).toBeLessThan(4500);
    proxy.set('pass');
    await untilServed(() => borrowed.run('x'));
    await client.shutdown();
  }, 30_000);

  it('a server that is gone is an UnavailableError at once, and found again soon after', async () => {
    await store.run('warm');
    proxy.set('refuse');
    proxy.cut();
    const { ms, error } = await took(store.run('x'));
    expect(error).toMatchObject({ code: 'FLOW_UNAVAILABLE' });
    expect(ms).toBeLessThan(3500);
    proxy.set('pass');
    expect(await untilServed(() => store.run('x'))).toBeLessThan(4000);
  }, 30_000);

  it('closing while nothing answers leaves nothing behind', async () => {
    await store.run('warm');
    proxy.set('refuse');
    proxy.cut();
    await took(store.run('x'));
    proxy.set('hole');
    await store.close();
  }, 30_000);

  it('an accept and an end whose answers were late count as ours when they are repeated', async () => {
    const run = runRecord();
    await store.run('warm');
    await store.accept(runRecord());
    const late = async <T>(call: () => Promise<T>): Promise<T> => {
      proxy.set('hole');
      expect(await took(call())).toMatchObject({ error: { code: 'FLOW_UNAVAILABLE' } });
      // What was sent arrives now: the first try is applied although it was given up.
      proxy.set('pass');
      return call();
    };
    await store.end(run.runId, 'completed', undefined, 1); // prepares the statement
    expect(await late(() => store.accept(run))).toMatchObject({ accepted: true });
    expect(await late(() => store.end(run.runId, 'failed', 'why', 9))).toEqual({ ended: true });
    expect(await store.run(run.runId)).toEqual({ ...run, status: 'failed', reason: 'why', endedAt: 9 });
  }, 30_000);
});
