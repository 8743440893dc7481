/** Every default of the package, in one place. Options that are left out have these values. */
export const DEFAULT_OPTIONS = {
  topicName: 'flowcraft-jobs',
  groupId: 'flowcraft-worker-group',
  keyspace: 'flowcraft_ks',
  contextTableName: 'contexts',
  statusTableName: 'statuses',
  redisKeyPrefix: 'flowcraft',
  connectTimeoutMs: 30_000,
  worker: {
    enabled: true,
    autoStart: true,
    concurrency: 512,
    leaseMs: 12_000,
    livenessMs: 6_000,
    drainTimeoutMs: 30_000,
    emitDelayMs: 1_000,
    maxHoldMs: 30_000,
    unroutableGraceMs: 300_000,
    unroutableDelayMs: 2_000,
  },
  client: {
    callTimeoutMs: 15_000,
  },
  limits: {
    maxValueBytes: 1_048_576,
    maxValueDepth: 1_000,
    maxContextBytes: 4_194_304,
    maxResultBytes: 1_048_576,
    maxFanOut: 10_000,
    maxBlueprintNodes: 5_000,
    maxTurnsPerRun: 10_000,
    maxSubflowDepth: 100,
  },
  reconciler: {
    enabled: true,
    /** Every minute. */
    cron: '0 * * * * *',
    stalledThresholdSeconds: 300,
    maxRunsPerSweep: 1_000,
  },
  provision: {
    topic: 'create',
    keyspace: 'create',
    tables: 'create',
    partitions: 12,
    /** As the broker is configured. */
    topicReplication: -1,
    keyspaceReplication: 1,
  },
  webhooks: {
    mount: true,
    path: 'flowcraft/webhooks',
    /** A week. */
    ttlSeconds: 604_800,
    maxBodyBytes: 262_144,
    hmac: {
      algorithm: 'sha256',
      header: 'x-flowcraft-signature',
      timestampHeader: 'x-flowcraft-timestamp',
      toleranceSeconds: 300,
    },
  },
  blueprints: {
    unknownNodes: 'refuse',
  },
} as const;
