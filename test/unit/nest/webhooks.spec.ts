import { createHmac } from 'node:crypto';
import { Controller, Headers, Inject, Module, Param, Post, Req, VersioningType } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { WorkflowBlueprint } from 'flowcraft';
import { MemoryServers } from '../../../src/drivers/memory/memory-servers.js';
import { SystemClock } from '../../../src/drivers/system/system-clock.js';
import { UnavailableError } from '../../../src/core/errors.js';
import { FLOWCRAFT_DRIVERS, FlowcraftClient, FlowcraftKafkaModule, FlowcraftWebhooks } from '../../../src/index.js';
import type { Drivers } from '../../../src/composition/embedded-drivers.js';
import { startApp } from '../../support/nest-app.js';
import { BASE_URL, startWebhookApp, type WebhookApp } from '../../support/webhook-app.js';

const hook: WorkflowBlueprint = {
  id: 'hook',
  nodes: [
    { id: 'h', uses: 'webhook' },
    { id: 'z', uses: 'echo' },
  ],
  edges: [{ source: 'h', target: 'z' }],
};
const registry = { echo: async ({ input }: { input?: unknown }) => ({ output: input }) };
const SECRET = 'a secret that callers sign with';
const OLD_SECRET = 'the secret that was used before';

const adapters = [
  ['Express', () => undefined],
  ['Fastify', () => new FastifyAdapter()],
] as const;

const tokenOf = (url: string) => url.slice(url.lastIndexOf('/') + 1);

/** All that a caller sees of an answer. */
const seen = async (response: Response) => {
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, text: await response.text(), headers: { ...headers, date: '' } };
};

describe.each(adapters)('webhooks on %s', (_name, adapter) => {
  let hooks: WebhookApp;
  const waiting = async () => {
    const runId = await hooks.awaiting('hook');
    return { runId, ...(await hooks.client.createWebhookUrl(runId, 'h')) };
  };

  beforeAll(async () => {
    hooks = await startWebhookApp([hook], { registry }, { adapter: adapter() });
  });
  const closing: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const close of closing) await close();
    await hooks.app.close();
  });

  it('are URLs that nobody can guess; a POST lets the node go on with its body, and the URL has served', async () => {
    const { runId, url, event, expiresAt } = await waiting();
    expect(url).toMatch(new RegExp(`^${BASE_URL}/flowcraft/webhooks/[A-Za-z0-9_-]{43}$`));
    expect(event).toBe('webhook:h');
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now() + 6 * 86_400_000);
    const response = await hooks.post(url, { approved: true });
    expect([response.status, await response.json()]).toEqual([202, { accepted: true }]);
    const { status, result } = await hooks.outcome(runId);
    expect(status).toBe('completed');
    expect(result?.context).toMatchObject({ h: { approved: true }, z: { approved: true } });
    expect((await hooks.post(url, { approved: false })).status).toBe(404);
  });

  it.each([
    ['application/json', '[1, null, "\u00e4"]', [1, null, '\u00e4']],
    ['application/cloudevents+json; charset=utf-8', '"text"', 'text'],
    ['application/x-www-form-urlencoded', 'a=1&b=x+y&b=%C3%A4&__proto__=p', { a: '1', b: ['x y', '\u00e4'] }],
    ['text/plain', 'words', 'words'],
    ['application/xml', '<a/>', '<a/>'],
    ['', '', undefined],
  ])('take %s', async (type, body, output) => {
    const { runId, url } = await waiting();
    expect((await hooks.post(url, body, type ? { 'content-type': type } : {})).status).toBe(202);
    const { result } = await hooks.outcome(runId);
    const actual = result?.context['h'];
    if (typeof output === 'object' && !Array.isArray(output)) expect(actual).toMatchObject(output);
    else expect(actual).toEqual(output);
  });

  it.each([
    [400, 'application/json', '{"a":', {}],
    [400, 'application/json', `${'['.repeat(1200)}${']'.repeat(1200)}`, {}],
    [415, 'application/json; charset=utf-16', '{}', {}],
    [415, 'application/json', '{}', { 'content-encoding': 'gzip' }],
  ])('answer %s to a body that is not what it says: %s', async (status, type, body, headers) => {
    const { runId, url } = await waiting();
    expect((await hooks.post(url, body, { 'content-type': type, ...headers })).status).toBe(status);
    expect((await hooks.client.getRun(runId)).status).toBe('awaiting');
    expect((await hooks.post(url, {})).status).toBe(202);
  });

  it('answer the same 404 to tokens that are unknown, malformed, used or expired, and of runs that have ended', async () => {
    const used = await waiting();
    await hooks.post(used.url, {});
    const cancelled = await waiting();
    await hooks.client.cancel(cancelled.runId);
    const other = await waiting();
    await hooks.client.resume(other.runId, { nodeId: 'h' });
    const expired = await waiting();
    const { store } = hooks.app.get<Drivers>(FLOWCRAFT_DRIVERS);
    const find = store.webhook.bind(store);
    store.webhook = async (hash) => {
      const found = await find(hash);
      return found?.runId === expired.runId ? { ...found, expiresAt: Date.now() - 1 } : found;
    };
    const unknown = `${BASE_URL}/flowcraft/webhooks/${'A'.repeat(43)}`;
    const answers = [];
    for (const url of [
      unknown,
      `${unknown}x`,
      `${BASE_URL}/flowcraft/webhooks/x`,
      used.url,
      cancelled.url,
      other.url,
      expired.url,
    ])
      answers.push(await seen(await hooks.post(url, { a: 1 })));
    expect(answers[0]).toMatchObject({ status: 404, text: '{"message":"Not Found","statusCode":404}' });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    store.webhook = find;
    expect((await hooks.post(expired.url, {})).status).toBe(202);
  });

  it('answer 413 to a body over the limit, said or not, and the node waits on', async () => {
    const { runId, url } = await waiting();
    const large = 'x'.repeat(262_145);
    expect((await hooks.post(url, large, { 'content-type': 'text/plain' })).status).toBe(413);
    expect((await hooks.post(url, new Blob([large]).stream(), { 'content-type': 'text/plain' })).status).toBe(413);
    expect((await hooks.client.getRun(runId)).status).toBe('awaiting');
    const most = 'x'.repeat(262_144);
    expect((await hooks.post(url, new Blob([most]).stream(), { 'content-type': 'text/plain' })).status).toBe(202);
    expect((await hooks.outcome(runId)).result?.context['h']).toBe(most);
  });

  it('let one of many racing calls through', async () => {
    const { runId, url } = await waiting();
    const statuses = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => (await hooks.post(url, { i })).status),
    );
    expect(statuses.filter((status) => status === 202)).toHaveLength(1);
    expect(statuses.filter((status) => status === 404)).toHaveLength(11);
    const { result } = await hooks.outcome(runId);
    expect(result?.context['h']).toEqual({ i: statuses.indexOf(202) });
  });

  it('know no other method', async () => {
    const { url } = await waiting();
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH'])
      expect((await fetch(url.replace(BASE_URL, await hooks.app.getUrl()), { method })).status).toBe(404);
  });

  it('answer 503 while a server is away; the call has no effect then, and can be repeated', async () => {
    const options = { registry, client: { callTimeoutMs: 200 } };
    const away = await startWebhookApp([hook], options, { adapter: adapter() });
    closing.push(() => away.app.close());
    const runId = await away.awaiting('hook');
    const { url } = await away.client.createWebhookUrl(runId, 'h');
    const { store } = away.app.get<Drivers>(FLOWCRAFT_DRIVERS);
    for (const name of ['webhook', 'turn'] as const) {
      const original = store[name].bind(store) as never;
      store[name] = (): Promise<never> =>
        Promise.reject(new UnavailableError('cassandra', 'reading', new Error('gone')));
      expect((await away.post(url, 'while it was away')).status).toBe(503);
      store[name] = original;
      await new Promise((resolve) => setTimeout(resolve, 2500)); // it would have been tried again
      expect((await away.client.getRun(runId)).status).toBe('awaiting');
    }
    expect((await away.post(url, { a: 1 })).status).toBe(202);
    expect((await away.outcome(runId)).result?.context['h']).toEqual({ a: 1 });
  }, 20_000);

  it('leave no token and no body in the logs', async () => {
    const { runId, url } = await waiting();
    await hooks.post(`${url}x`, { note: 'SENSITIVE' });
    await hooks.post(url, { note: 'SENSITIVE' });
    await hooks.outcome(runId);
    const text = JSON.stringify(hooks.logger.lines);
    expect(text).not.toContain('SENSITIVE');
    expect(text).not.toContain(tokenOf(url));
  });
});

describe.each(adapters)('signed webhooks on %s', (_name, adapter) => {
  let hooks: WebhookApp;
  const now = () => Math.floor(Date.now() / 1000);
  const signature = (body: string, { at = now(), secret = SECRET, encoding = 'hex' as const } = {}) =>
    createHmac('sha256', secret).update(`${at}.${body}`).digest(encoding);

  beforeAll(async () => {
    hooks = await startWebhookApp(
      [hook],
      { registry, webhooks: { baseUrl: BASE_URL, hmac: { secret: [SECRET, OLD_SECRET], header: 'X-Signature' } } },
      { adapter: adapter() },
    );
  });
  afterAll(() => hooks.app.close());

  const call = async (body: string, headers: Record<string, string>) => {
    const runId = await hooks.awaiting('hook');
    const { url } = await hooks.client.createWebhookUrl(runId, 'h');
    const { status } = await hooks.post(url, body, { 'content-type': 'application/json', ...headers });
    const run = await hooks.client.getRun(runId);
    expect(run.status === 'awaiting').toBe(status === 401);
    return status;
  };
  const BODY = '{ "spaces" : "are\\u0020signed",\n"n": 1.0 }';

  it.each([
    ['hexadecimal digits', () => ({ 'x-signature': signature(BODY) })],
    ['the name of the algorithm before', () => ({ 'x-signature': `sha256=${signature(BODY)}` })],
    ['base64', () => ({ 'x-signature': signature(BODY, { encoding: 'base64' as never }) })],
    ['a secret that is being replaced', () => ({ 'x-signature': signature(BODY, { secret: OLD_SECRET }) })],
  ])('are taken with a signature over the bytes: %s', async (_what, headers) => {
    expect(await call(BODY, { 'x-flowcraft-timestamp': String(now()), ...headers() })).toBe(202);
  });

  it.each([
    ['no signature', () => ({ 'x-flowcraft-timestamp': String(now()) })],
    ['no time', () => ({ 'x-signature': signature(BODY) })],
    [
      'a signature over something else',
      () => ({ 'x-signature': signature('{}'), 'x-flowcraft-timestamp': String(now()) }),
    ],
    [
      'another secret',
      () => ({ 'x-signature': signature(BODY, { secret: 'x' }), 'x-flowcraft-timestamp': String(now()) }),
    ],
    [
      'another time than was signed',
      () => ({ 'x-signature': signature(BODY), 'x-flowcraft-timestamp': String(now() - 9) }),
    ],
    [
      'a time long ago',
      () => ({ 'x-signature': signature(BODY, { at: now() - 400 }), 'x-flowcraft-timestamp': String(now() - 400) }),
    ],
    [
      'a time to come',
      () => ({ 'x-signature': signature(BODY, { at: now() + 400 }), 'x-flowcraft-timestamp': String(now() + 400) }),
    ],
    [
      'a signature that is cut off',
      () => ({ 'x-signature': signature(BODY).slice(0, 32), 'x-flowcraft-timestamp': String(now()) }),
    ],
  ])('are refused with %s', async (_what, headers) => {
    expect(await call(BODY, headers())).toBe(401);
  });

  it('tell nobody without a signature whether a token is known', async () => {
    expect((await hooks.post(`${BASE_URL}/flowcraft/webhooks/${'A'.repeat(43)}`, '{}')).status).toBe(401);
    const headers = { 'x-signature': signature('{}'), 'x-flowcraft-timestamp': String(now()) };
    expect((await hooks.post(`${BASE_URL}/flowcraft/webhooks/${'A'.repeat(43)}`, '{}', headers)).status).toBe(404);
  });
});

describe('the endpoint', () => {
  it.each(adapters)('follows the prefix and the versions of an application on %s', async (_name, adapter) => {
    const hooks = await startWebhookApp(
      [hook],
      { registry, webhooks: { baseUrl: `${BASE_URL}/api/`, path: 'in.coming' } },
      {
        adapter: adapter(),
        before: (app) => app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
      },
    );
    const runId = await hooks.awaiting('hook');
    const { url } = await hooks.client.createWebhookUrl(runId, 'h');
    expect(url).toContain(`${BASE_URL}/api/in.coming/`);
    expect((await hooks.post(url, { a: 1 })).status).toBe(202);
    await hooks.app.close();
  });

  it('is not there without the option, or if it is not to be mounted', async () => {
    for (const webhooks of [undefined, { baseUrl: BASE_URL, mount: false }]) {
      const hooks = await startWebhookApp([hook], { registry, webhooks: webhooks as never });
      const response = await hooks.post(`${BASE_URL}/flowcraft/webhooks/${'A'.repeat(43)}`, {});
      expect(await response.json()).toMatchObject({ message: expect.stringContaining('Cannot POST') });
      await hooks.app.close();
    }
  });

  it('can be one of the application, on the same path, with a guard of its own', async () => {
    @Controller('flowcraft/webhooks')
    class OwnEndpoint {
      constructor(@Inject(FlowcraftWebhooks) private readonly webhooks: FlowcraftWebhooks) {}

      @Post('own/:token')
      async receive(
        @Param('token') token: string,
        @Headers() headers: Record<string, string>,
        @Req() request: { rawBody: Buffer },
      ): Promise<string> {
        await this.webhooks.receive(token, { headers, body: request.rawBody });
        return 'taken';
      }
    }
    const options = {
      embedded: true,
      webhooks: { baseUrl: BASE_URL, mount: false },
      runtime: { registry, blueprints: { hook } },
    };
    @Module({ imports: [FlowcraftKafkaModule.forRoot(options)], controllers: [OwnEndpoint] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false, rawBody: true });
    await app.listen(0, '127.0.0.1');
    const client = app.get(FlowcraftClient);
    const { runId } = await client.start('hook');
    const { url } = await client.createWebhookUrl(runId, 'h');
    const own = url.replace(`${BASE_URL}/flowcraft/webhooks`, `${await app.getUrl()}/flowcraft/webhooks/own`);
    const init = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } };
    expect(await (await fetch(own, init)).text()).toBe('taken');
    expect((await fetch(own, init)).status).toBe(404);
    expect((await client.waitForWorkflow(runId)).result?.context['h']).toEqual({ a: 1 });
    await app.close();
  });

  it('takes the body before the parsers of an application that was made by NestFactory', async () => {
    const options = { embedded: true, webhooks: { baseUrl: BASE_URL }, runtime: { registry, blueprints: { hook } } };
    @Module({ imports: [FlowcraftKafkaModule.forRootAsync({ useFactory: () => options })] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    const client = app.get(FlowcraftClient);
    const { runId } = await client.start('hook');
    const { url } = await client.createWebhookUrl(runId, 'h');
    const body = JSON.stringify({ text: 'x'.repeat(200_000) }); // more than Express takes by itself
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json' } };
    expect((await fetch(url.replace(BASE_URL, await app.getUrl()), init)).status).toBe(202);
    await app.close();
  });

  it('is not needed by others: a process without HTTP makes URLs for those who have it', async () => {
    const servers = new MemoryServers({ clock: new SystemClock() });
    const options = { webhooks: { baseUrl: BASE_URL }, runtime: { registry, blueprints: { hook } } };
    const worker = await startApp(options, { servers });
    const { runId } = await worker.client.start('hook');
    const { url } = await worker.client.createWebhookUrl(runId, 'h');
    await worker.app.close();
    const other = await startWebhookApp([hook], { registry }, { servers });
    expect((await other.post(url, 'after a restart')).status).toBe(202);
    expect((await other.outcome(runId)).result?.context['z']).toBe('after a restart');
    await other.app.close();
  });
});
