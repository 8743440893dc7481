import type { DIContainer } from 'flowcraft';
import { DEFAULT_OPTIONS } from '../composition/default-options.js';
import type { ServerDriversOptions } from '../composition/server-drivers.js';
import { ConfigurationError } from '../core/errors.js';
import type { EncryptionSource } from '../drivers/encryption/encryption-keys.js';
import type { EngineOptions } from '../engine/engine-options.js';
import { problemsOf } from './options-check.js';
import type { FlowcraftKafkaOptions, FlowcraftRuntimeOptions } from './options.js';
import type { WebhookOptions } from './webhooks/webhook-options.js';
import type { WebhookReceiving } from './webhooks/webhook-settings.js';

/** The options with every default filled in. */
export interface FlowcraftSettings {
  readonly runtime: FlowcraftRuntimeOptions | DIContainer;
  readonly engine: EngineOptions;
  /** Absent: embedded. */
  readonly servers?: ServerDriversOptions;
  readonly encryption?: EncryptionSource;
  readonly worker: { readonly enabled: boolean; readonly autoStart: boolean };
  readonly reconciler: { readonly enabled: boolean; readonly cron: string };
  readonly webhooks: WebhookReceiving;
}

/** @throws ConfigurationError that lists every problem */
export function settingsOf(given: unknown): FlowcraftSettings {
  const problems = problemsOf(given);
  if (problems.length > 0) throw new ConfigurationError(problems);
  const options = given as FlowcraftKafkaOptions;
  const worker = over(DEFAULT_OPTIONS.worker, options.worker);
  const reconciler = over(DEFAULT_OPTIONS.reconciler, options.reconciler);
  const asked = over(DEFAULT_OPTIONS.limits, options.limits);
  // who raises the limit of one value means to write such values
  const maxContextBytes = options.limits?.maxContextBytes ?? Math.max(asked.maxContextBytes, asked.maxValueBytes);
  const limits = { ...asked, maxContextBytes };
  const client = over(DEFAULT_OPTIONS.client, options.client);
  // a process that executes no nodes need not have their code
  const unknownNodes =
    options.blueprints?.unknownNodes ?? (worker.enabled ? DEFAULT_OPTIONS.blueprints.unknownNodes : 'elsewhere');
  const { baseUrl } = options.webhooks ?? {};
  const { path, ttlSeconds } = over(DEFAULT_OPTIONS.webhooks, options.webhooks);
  const webhooks = { path, ttlSeconds, ...(baseUrl === undefined ? {} : { baseUrl }) };
  const servers = serversOf(options);
  return {
    runtime: options.runtime ?? {},
    engine: {
      worker,
      limits,
      reconciler,
      blueprints: { unknownNodes },
      client,
      ...(options.webhooks ? { webhooks } : {}),
    },
    worker,
    reconciler,
    webhooks: receivingOf(options.webhooks),
    ...(servers ? { servers } : {}),
    ...(options.encryption ? { encryption: options.encryption } : {}),
  };
}

function receivingOf(options: WebhookOptions | undefined): WebhookReceiving {
  const { mount, path, maxBodyBytes } = over(DEFAULT_OPTIONS.webhooks, options);
  const { hmac } = options ?? {};
  return {
    mount: options !== undefined && mount,
    path,
    maxBodyBytes,
    ...(hmac ? { hmac: { ...over(DEFAULT_OPTIONS.webhooks.hmac, hmac), secrets: [hmac.secret].flat() } } : {}),
  };
}

function serversOf(options: FlowcraftKafkaOptions): ServerDriversOptions | undefined {
  const { kafka, cassandra, redis, tuning, encryption } = options;
  if (kafka === undefined || cassandra === undefined || redis === undefined) return undefined;
  const names = over(
    {
      topicName: DEFAULT_OPTIONS.topicName,
      groupId: DEFAULT_OPTIONS.groupId,
      keyspace: DEFAULT_OPTIONS.keyspace,
      contextTableName: DEFAULT_OPTIONS.contextTableName,
      statusTableName: DEFAULT_OPTIONS.statusTableName,
      redisKeyPrefix: DEFAULT_OPTIONS.redisKeyPrefix,
      connectTimeoutMs: DEFAULT_OPTIONS.connectTimeoutMs,
    },
    options,
  );
  const provision = over(DEFAULT_OPTIONS.provision, options.provision);
  return {
    ...names,
    kafka,
    cassandra,
    redis,
    provision,
    ...(tuning ? { tuning } : {}),
    ...(encryption ? { encryption } : {}),
  };
}

/** The defaults, replaced by what is given and not undefined. Values are of the right types by then. */
function over<T extends object, G extends { [K in keyof T]?: unknown }>(
  defaults: T,
  given: G | undefined,
): { [K in keyof T]: K extends keyof G ? NonNullable<G[K]> : T[K] } {
  const names = Object.keys(defaults) as (keyof T)[];
  const entries = names.map((name) => [name, given?.[name] ?? defaults[name]] as const);
  return Object.fromEntries(entries) as { [K in keyof T]: K extends keyof G ? NonNullable<G[K]> : T[K] };
}
