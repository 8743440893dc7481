export { FlowcraftKafkaModule, type FlowcraftKafkaAsyncOptions } from './nest/flowcraft-kafka.module.js';
export { FlowcraftClient } from './nest/flowcraft-client.js';
export { FlowcraftDeadLetters } from './nest/flowcraft-dead-letters.js';
export { FlowcraftWorker, type RunningNode } from './nest/flowcraft-worker.js';
export { FlowcraftReconciler, RECONCILER_CRON_NAME } from './nest/flowcraft-reconciler.js';
export { FlowcraftWebhooks, type WebhookRequest } from './nest/webhooks/flowcraft-webhooks.js';
export { FlowcraftHealth, type FlowcraftHealthReport } from './nest/flowcraft-health.js';

export { FlowNode, type FlowNodeHandler, type FlowNodeOptions } from './nest/decorators/flow-node.decorator.js';
export { FlowBlueprint, type FlowBlueprintProvider } from './nest/decorators/flow-blueprint.decorator.js';
export {
  OnFlowEvent,
  type FlowEventMethodDecorator,
  type FlowEventName,
  type FlowEventPayloads,
  type RunAwaitingEvent,
  type RunFinishedEvent,
} from './nest/decorators/on-flow-event.decorator.js';

export { KafkaAdapter, type KafkaAdapterOptions } from './adapter/kafka-adapter.js';
export {
  createKafkaReconciler,
  type KafkaReconciler,
  type KafkaReconcilerOptions,
} from './adapter/kafka-reconciler.js';
export { CassandraContext, type CassandraContextOptions } from './drivers/cassandra/cassandra-context.js';
export { RedisCoordinationStore } from './drivers/redis/redis-coordination-store.js';
export { CassandraContextFactory } from './nest/cassandra-context-factory.js';

export type {
  BlueprintOptions,
  FlowcraftClientOptions,
  FlowcraftKafkaModuleExtras,
  FlowcraftKafkaOptions,
  FlowcraftKafkaOptionsFactory,
  FlowcraftRuntimeOptions,
  LimitOptions,
  ProvisionMode,
  ProvisionOptions,
  ReconcilerOptions,
  UnknownNodesMode,
  WorkerOptions,
} from './nest/options.js';
export type { WebhookOptions, WebhookSignatureOptions } from './nest/webhooks/webhook-options.js';
export type { BlueprintSource } from './nest/blueprint-source.js';
export type { FlowcraftFeature } from './nest/feature-registration.js';
export {
  FLOWCRAFT_CASSANDRA,
  FLOWCRAFT_CLOCK,
  FLOWCRAFT_DRIVERS,
  FLOWCRAFT_IDS,
  FLOWCRAFT_KAFKA,
  FLOWCRAFT_KAFKA_OPTIONS,
  FLOWCRAFT_LOGGER,
  FLOWCRAFT_REDIS,
} from './nest/tokens.js';
export { DEFAULT_OPTIONS } from './composition/default-options.js';
export type { RedisClusterInput, RedisInput } from './drivers/redis/redis-client.js';
export type { DriverTuning, ServerClients, ServerDrivers } from './composition/server-drivers.js';
export type { Drivers } from './composition/embedded-drivers.js';

export type { ResumeOptions } from './engine/client.js';
export type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterListOptions,
  DeadLetterPage,
  RedriveResult,
} from './engine/dead-letters.js';
export type { TurnInfo } from './engine/node-execution.js';
export type { ReconciliationStats } from './engine/reconciler.js';
export type { RetryOptions, RetryResult } from './engine/retrier.js';
export type { AwaitingDescription, NodeDescription, RunDescription } from './engine/run-description.js';
export type { RunEvent } from './engine/run-events.js';
export type { NodeError } from './engine/run-failure.js';
export type { ListOptions, RunPage, RunSummary } from './engine/run-list.js';
export type { RunOutcome } from './engine/run-outcome.js';
export type { RunParent } from './engine/run-parent.js';
export type { RunHandle, StartOptions } from './engine/run-starter.js';
export type { WaitOptions } from './engine/run-waiter.js';
export type { NodeWebhooks, WebhookEndpoint } from './engine/webhook-endpoints.js';
export type { WorkerState } from './engine/worker.js';

export {
  ArgumentInvalidError,
  BlueprintInvalidError,
  BlueprintNotFoundError,
  CallTimeoutError,
  ClosedError,
  ConfigurationError,
  ConnectError,
  ContextKeyRefusedError,
  DrainTimeoutError,
  ErrorCode,
  FlowcraftKafkaError,
  // the same class by the name that its subclasses are spoken of; flowcraft's own FlowcraftError is another
  FlowcraftKafkaError as FlowcraftError,
  JobFormatTooNewError,
  JobMalformedError,
  TooManyTurnsError,
  IllegalStateError,
  NodeImplementationMissingError,
  NodeNotAwaitingError,
  RunEndedError,
  RunIdConflictError,
  RunIdInvalidError,
  RunNotFoundError,
  RunNotRetryableError,
  SchemaMissingError,
  TopicMissingError,
  UnavailableError,
  RunTimeoutError,
  NodeTimeoutError,
  ValueNotSerializableError,
  ValueTooLargeError,
} from './core/errors.js';
export { createValueCipher } from './drivers/encryption/aes-value-cipher.js';
export type { EncryptionOptions, EncryptionSource } from './drivers/encryption/encryption-keys.js';
export { DecryptionFailedError, EncryptionKeyUnknownError } from './core/encryption-errors.js';
export type { ValueCipher } from './core/value-cipher.js';
export {
  ContextTooLargeError,
  DynamicNodeInvalidError,
  EdgeEvaluationError,
  FanOutTooLargeError,
  ForeignContextInvalidError,
  OutcomeRefusedError,
  SubflowTooDeepError,
  ValueNotReadableError,
  ValueTooDeepError,
  WriteTooLargeError,
} from './core/limit-errors.js';
export { WebhookTargetInvalidError, WebhookUrlUnknownError } from './core/webhook-errors.js';
export type { AwaitingDetails, EndStatus, RunStatus } from './core/run.js';
export type { Clock, Ids } from './ports/clock.js';
export type { ConsumerState } from './ports/job-queue.js';
export type { LogFields, Logger } from './ports/logger.js';
