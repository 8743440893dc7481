import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BlueprintNotFoundError, RunIdConflictError, UnavailableError } from '../../../src/core/errors.js';
import type { StartOptions } from '../../../src/engine/start-options.js';
import { Fleet, type Intercept } from '../../support/fleet.js';

describe('the start of a run', () => {
  let fleet: Fleet;
  afterEach(() => fleet.end());

  const calls: { name: string; args: readonly unknown[] }[] = [];
  const client = async (intercept: Intercept = (_call, _args, make) => make()) => {
    calls.length = 0;
    fleet = new Fleet({ step: async () => ({ output: 1 }) }, [
      { id: 'one', nodes: [{ id: 'a', uses: 'step' }], edges: [] },
    ]);
    const { engine } = await fleet.process((name, args, make) => {
      calls.push({ name, args });
      return intercept(name, args, make);
    });
    return engine.client;
  };
  const made = (name: string) => calls.filter((call) => call.name === name);

  it('is decided by nobody if the id is made for it', async () => {
    const { existing } = await (await client()).start('one', {}, {});
    expect({ existing, created: made('create').length, accepted: made('accept').length }).toEqual({
      existing: false,
      created: 1,
      accepted: 0,
    });
  });

  it('is decided by the store if the caller has chosen the id', async () => {
    await (await client()).start('one', {}, { runId: 'mine' });
    expect({ created: made('create').length, accepted: made('accept').length }).toEqual({ created: 0, accepted: 1 });
  });

  it('takes objects with the same keys in another order for the same input', async () => {
    const own = await client();
    const start = (context: Record<string, unknown>) => own.start('one', context, { runId: 'mine' });
    await start({ order: { id: 1, lines: [{ sku: 'a', count: 2 }] }, by: 'me' });
    await expect(start({ by: 'me', order: { lines: [{ count: 2, sku: 'a' }], id: 1 } })).resolves.toEqual({
      runId: 'mine',
      existing: true,
    });
    await expect(start({ by: 'me', order: { lines: [{ count: 3, sku: 'a' }], id: 1 } })).rejects.toMatchObject({
      code: 'FLOW_RUN_ID_CONFLICT',
    });
  });

  it('writes the same again under the same id if a server did not answer', async () => {
    let failures = 2;
    const { runId } = await (
      await client(async (name, _args, make) => {
        const answer = await make();
        if (name === 'create' && failures-- > 0) throw new UnavailableError('cassandra', 'create', new Error('late'));
        return answer;
      })
    ).start('one', {}, { timeoutMs: 60_000, delayMs: 100 });
    const records = made('create').map(({ args }) => args[0]);
    expect(records).toHaveLength(3);
    expect(records[0]).toMatchObject({ runId });
    for (const record of records) expect(record).toEqual(records[0]);
    expect(fleet.servers.store.runs.size).toBe(1);
  });

  describe('again, by code that has another version of its blueprint', () => {
    const version = (text: string) => ({
      id: 'one',
      metadata: { version: text },
      nodes: [{ id: 'a', uses: 'step' }],
      edges: [],
    });
    const next = async (...versions: string[]) => {
      const { engine } = await fleet.process(undefined, versions.map(version));
      return engine.client;
    };
    beforeEach(async () => {
      fleet = new Fleet({ step: async () => ({ output: 1 }) }, [version('1')]);
      const { engine } = await fleet.process();
      await engine.client.start('one', { a: 1 }, { runId: 'mine', version: '1' });
    });

    it.each([[['2']], [[]]])('(%j) answers the run that exists', async (versions) => {
      const client = await next(...versions);
      const again = await client.start('one', { a: 1 }, { runId: 'mine', version: '1' });
      expect(again).toEqual({ runId: 'mine', existing: true });
      expect(await client.start('one', { a: 1 }, { runId: 'mine' })).toEqual(again);
      expect(await client.describe('mine')).toMatchObject({ blueprintVersion: '1', status: 'running' });
    });

    it('answers the run when it has ended', async () => {
      const client = await next('2');
      await client.cancel('mine', undefined);
      expect(await client.start('one', { a: 1 }, { runId: 'mine', version: '1' })).toMatchObject({ existing: true });
    });

    it('refuses another input, and what no run was started with', async () => {
      const client = await next('2');
      const start = (input: Record<string, unknown>, options: StartOptions) => client.start('one', input, options);
      await expect(start({ a: 2 }, { runId: 'mine', version: '1' })).rejects.toThrow(RunIdConflictError);
      await expect(start({ a: 1 }, { runId: 'mine', version: '2' })).rejects.toThrow(RunIdConflictError);
      await expect(start({ a: 1 }, { runId: 'mine', version: '3' })).rejects.toThrow(BlueprintNotFoundError);
      await expect(start({ a: 1 }, { runId: 'other', version: '1' })).rejects.toThrow(BlueprintNotFoundError);
      await expect(start({ a: 1 }, { version: '1' })).rejects.toThrow(BlueprintNotFoundError);
      await expect(client.start('two', { a: 1 }, { runId: 'mine' })).rejects.toThrow(BlueprintNotFoundError);
    });
  });

  describe('and waiting for its end where it was started', () => {
    const looks = () => made('status').length;
    const one = async (intercept?: Intercept) => {
      const own = await client(intercept);
      const { engine } = await fleet.process();
      await engine.worker.start();
      return { own, engine };
    };

    it('asks the store once, when the end is announced', async () => {
      const { own } = await one();
      const { runId } = await own.start('one', {}, {});
      expect(await own.wait(runId, {})).toMatchObject({ status: 'completed' });
      expect(looks()).toBe(1);
    });

    it('asks at once if the end was announced before', async () => {
      const { own, engine } = await one();
      const { runId } = await own.start('one', {}, {});
      await engine.client.wait(runId, {});
      const began = Date.now();
      expect(await own.wait(runId, {})).toMatchObject({ status: 'completed' });
      // else it looks for the first time a second after the start
      expect(Date.now() - began).toBeLessThan(200);
    });

    it('goes on asking while nothing is announced', async () => {
      const own = await client();
      const { runId } = await own.start('one', {}, {});
      expect(await own.wait(runId, { timeoutMs: 1_300 })).toMatchObject({ status: 'running', timedOut: true });
      expect(looks()).toBeGreaterThan(1);
    });
  });
});
