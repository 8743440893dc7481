import type { NodeContext } from 'flowcraft';
import { ArgumentInvalidError, type FlowcraftClient, type FlowcraftRuntimeOptions } from '../../src/index.js';

export interface DeadLettersBench {
  readonly client: FlowcraftClient;
  /** Sends what no client of ours would. */
  send(key: string, value: string | null): Promise<void>;
  /** Consumer groups on the servers that are not the workers'. */
  otherGroups(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What becomes of messages that can never succeed, whatever the queue is. The topic has one partition. */
export function describeDeadLetters(open: (runtime: FlowcraftRuntimeOptions) => Promise<DeadLettersBench>): void {
  let bench: DeadLettersBench;
  let client: FlowcraftClient;

  beforeAll(async () => {
    bench = await open({
      registry: { step: async ({ input }: NodeContext) => ({ output: `${String(input)}!` }) },
      blueprints: { one: { id: 'one', nodes: [{ id: 'a', uses: 'step' }], edges: [] } },
    });
    ({ client } = bench);
  }, 60_000);
  afterAll(() => bench.close(), 60_000);

  const lettersOf = async (count: number, options = {}) => {
    for (let tries = 0; ; tries++) {
      const { letters } = await client.deadLetters.list({ limit: 1000, ...options });
      if (letters.length >= count || tries > 100) return letters;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  it('there are none at first', async () => {
    expect(await client.deadLetters.list()).toEqual({ letters: [] });
    expect(await client.deadLetters.redrive({ all: true })).toEqual({ redriven: [], skipped: [] });
  }, 30_000);

  it('a poison message never blocks its partition, and is listed with its bytes and the reason', async () => {
    await bench.send('k1', 'no json: ✗');
    await bench.send('k2', '{"runId":"r-new","blueprintId":"one","nodeId":"a","v":99}');
    await bench.send('k3', null);
    await bench.send('k4', 'x'.repeat(70_000));
    const { runId } = await client.start('one', { '_inputs.a': 'behind' });
    expect(await client.waitForWorkflow(runId, { timeoutMs: 20_000 })).toMatchObject({ status: 'completed' });
    const letters = await lettersOf(4);
    expect(letters.map(({ reason, key, payload }) => [reason.code, key, payload?.slice(0, 12)])).toEqual([
      ['FLOW_JOB_MALFORMED', 'k1', 'no json: ✗'],
      ['FLOW_JOB_FORMAT_TOO_NEW', 'k2', '{"runId":"r-'],
      ['FLOW_JOB_MALFORMED', 'k3', undefined],
      ['FLOW_JOB_MALFORMED', 'k4', 'xxxxxxxxxxxx'],
    ]);
    expect(letters[0]?.original).toMatchObject({ partition: 0, offset: expect.stringMatching(/^\d+$/) as unknown });
    expect(new Date(letters[0]?.failedAt ?? '').getTime()).toBeGreaterThan(Date.now() - 60_000);
  }, 60_000);

  it('are listed in pages, each once, and by their reason', async () => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.deadLetters.list({ limit: 3, ...(cursor === undefined ? {} : { cursor }) });
      ids.push(...page.letters.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(ids).toEqual((await client.deadLetters.list()).letters.map(({ id }) => id));
    expect(ids).toHaveLength(4);
    const { letters } = await client.deadLetters.list({ code: 'FLOW_JOB_FORMAT_TOO_NEW' });
    expect(letters.map(({ key }) => key)).toEqual(['k2']);
    // whose it is can be read, though not what it asks for
    expect((await client.deadLetters.list({ runId: 'r-new' })).letters).toMatchObject([{ key: 'k2', nodeId: 'a' }]);
  }, 60_000);

  it('reading leaves no consumer group behind', async () => {
    await client.deadLetters.list();
    expect(await bench.otherGroups()).toEqual([]);
  }, 30_000);

  it('one is sent again by its id, with the same bytes, and not listed any more unless asked for', async () => {
    const [first] = (await client.deadLetters.list({ limit: 1 })).letters;
    const id = first?.id ?? '';
    expect(await client.deadLetters.redrive(id)).toEqual({ redriven: [id], skipped: [] });
    // it is as broken as before, so it comes back as another dead letter
    const letters = await lettersOf(4);
    expect(letters.map(({ key }) => key)).toEqual(['k2', 'k3', 'k4', 'k1']);
    expect(letters.at(-1)?.payload).toBe('no json: ✗');
    const all = await client.deadLetters.list({ includeRedriven: true });
    expect(all.letters.map(({ redrivenAt }) => redrivenAt !== undefined)).toEqual([true, false, false, false, false]);
    expect(await client.deadLetters.redrive([id, '0:999999'])).toEqual({
      redriven: [],
      skipped: [
        { id, why: 'redriven before' },
        { id: '0:999999', why: 'not found' },
      ],
    });
  }, 60_000);

  it('many are sent again by a filter, which must say something', async () => {
    for (const filter of [{}, { limit: 5 }, { all: false }, 'x', [], ['a:b'], null])
      await expect(client.deadLetters.redrive(filter as never)).rejects.toBeInstanceOf(ArgumentInvalidError);
    await expect(client.deadLetters.redrive(undefined as never)).rejects.toThrow(
      'deadLetters.redrive(): which must be the id of a dead letter, a list of ids, or a filter',
    );
    await expect(client.deadLetters.redrive({})).rejects.toThrow('all must be true to send every dead letter');
    for (const options of [{ limit: 0 }, { cursor: 'x' }, { what: 1 }, null])
      await expect(client.deadLetters.list(options as never)).rejects.toBeInstanceOf(ArgumentInvalidError);
    const before = await client.deadLetters.list();
    const malformed = before.letters.filter(({ reason }) => reason.code === 'FLOW_JOB_MALFORMED').map(({ id }) => id);
    const result = await client.deadLetters.redrive({ code: 'FLOW_JOB_MALFORMED', limit: malformed.length });
    expect(result.redriven).toEqual(malformed);
    const after = await lettersOf(4);
    expect(after.map(({ key }) => key).sort()).toEqual(['k1', 'k2', 'k3', 'k4']);
  }, 60_000);

  it('one that several ask for at the same time is sent again once', async () => {
    const before = await client.deadLetters.list();
    const id = before.letters[0]?.id ?? '';
    const results = await Promise.all(Array.from({ length: 5 }, () => client.deadLetters.redrive(id)));
    expect(results.map(({ redriven }) => redriven.length).sort()).toEqual([0, 0, 0, 0, 1]);
    for (const { skipped } of results.filter(({ redriven }) => redriven.length === 0))
      expect(skipped).toEqual([{ id, why: expect.stringMatching(/^(under way|redriven before)$/) as unknown }]);
    // as broken as before, it comes back: what was sent after it shows that nothing else does
    const key = `after-${id}`;
    await bench.send(key, 'no json');
    const isBack = (letters: readonly { key: string | null }[]) => letters.some((letter) => letter.key === key);
    let { letters } = await client.deadLetters.list();
    for (let tries = 0; !isBack(letters) && tries < 100; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      ({ letters } = await client.deadLetters.list());
    }
    const again = letters.filter((letter) => letter.key === before.letters[0]?.key);
    expect(again).toHaveLength(1);
  }, 60_000);
}
