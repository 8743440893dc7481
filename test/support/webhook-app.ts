import type { INestApplication, Provider } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { NodeRegistry, RuntimeOptions, WorkflowBlueprint } from 'flowcraft';
import type { MemoryServers } from '../../src/drivers/memory/memory-servers.js';
import { FlowcraftClient, type RunOutcome } from '../../src/index.js';
import { FlowcraftKafkaTestingModule, type FlowcraftKafkaTestOptions } from '../../src/testing/index.js';
import { builderOf, rootModule } from './nest-app.js';
import { RecordingLogger } from './recording-logger.js';

export const BASE_URL = 'https://hooks.example.com';

export interface WebhookApp {
  readonly app: INestApplication;
  readonly client: FlowcraftClient;
  readonly logger: RecordingLogger;
  /** Posts to a URL as the module made it, wherever this application listens. */
  readonly post: (url: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;
  readonly outcome: (runId: string) => Promise<RunOutcome>;
  /** Starts a run and waits until it awaits something. */
  readonly awaiting: (blueprintId: string, context?: Record<string, unknown>) => Promise<string>;
}

/** An application that listens on some port, on embedded drivers. */
export async function startWebhookApp(
  blueprints: readonly WorkflowBlueprint[],
  options: Omit<FlowcraftKafkaTestOptions, 'runtime'> & { runtime?: RuntimeOptions; registry?: NodeRegistry } = {},
  {
    adapter,
    servers,
    providers = [],
    before = () => undefined,
  }: {
    adapter?: AbstractHttpAdapter | undefined;
    servers?: MemoryServers;
    providers?: Provider[];
    /** Before the application is initialized. */
    before?: (app: INestApplication) => void;
  } = {},
): Promise<WebhookApp> {
  const logger = new RecordingLogger();
  const { registry = {}, runtime, ...rest } = options;
  const root = rootModule(
    [
      FlowcraftKafkaTestingModule.forTest({
        webhooks: { baseUrl: BASE_URL },
        ...rest,
        runtime: { ...runtime, registry, blueprints: Object.fromEntries(blueprints.map((b) => [b.id, b])) },
      }),
    ],
    providers,
  );
  const module = await builderOf(root, logger, servers, rest.encryption).compile();
  const app = adapter ? module.createNestApplication(adapter) : module.createNestApplication();
  app.useLogger(false);
  before(app);
  await app.listen(0, '127.0.0.1');
  const own = await app.getUrl();
  const client = app.get(FlowcraftClient);
  return {
    app,
    client,
    logger,
    post: (url, body = '', headers = {}) => {
      const isText = typeof body === 'string' || body instanceof ReadableStream;
      return fetch(url.replace(BASE_URL, own), {
        method: 'POST',
        body: isText ? body : JSON.stringify(body),
        headers: { ...(isText ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
      });
    },
    outcome: (runId) => client.waitForWorkflow(runId, { timeoutMs: 10_000 }),
    awaiting: async (blueprintId, context = {}) => {
      const { runId } = await client.start(blueprintId, context);
      const { status } = await client.waitForWorkflow(runId, { until: 'settled', timeoutMs: 10_000 });
      if (status !== 'awaiting') throw new Error(`The run is ${status}.`);
      return runId;
    },
  };
}
