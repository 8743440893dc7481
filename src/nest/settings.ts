import type { DIContainer } from 'flowcraft';
import { DEFAULT_OPTIONS } from '../composition/default-options.js';
import { limitsOf, over } from '../composition/over-defaults.js';
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
  const limits = limitsOf(options.limits);
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
