/**
 * Every error code of the package. A code is stable: match on it, never on a message.
 * `docs/errors.md` explains each.
 */
export const ErrorCode = {
  Configuration: 'FLOW_CONFIGURATION',
  BlueprintNotFound: 'FLOW_BLUEPRINT_NOT_FOUND',
  BlueprintInvalid: 'FLOW_BLUEPRINT_INVALID',
  NodeImplementationMissing: 'FLOW_NODE_IMPLEMENTATION_MISSING',
  NodeNotAwaiting: 'FLOW_NODE_NOT_AWAITING',
  RunNotFound: 'FLOW_RUN_NOT_FOUND',
  RunIdConflict: 'FLOW_RUN_ID_CONFLICT',
  RunIdInvalid: 'FLOW_RUN_ID_INVALID',
  RunEnded: 'FLOW_RUN_ENDED',
  RunNotRetryable: 'FLOW_RUN_NOT_RETRYABLE',
  ArgumentInvalid: 'FLOW_ARGUMENT_INVALID',
  ContextKeyRefused: 'FLOW_CONTEXT_KEY_REFUSED',
  ValueNotSerializable: 'FLOW_VALUE_NOT_SERIALIZABLE',
  ValueTooLarge: 'FLOW_VALUE_TOO_LARGE',
  ValueTooDeep: 'FLOW_VALUE_TOO_DEEP',
  ContextTooLarge: 'FLOW_CONTEXT_TOO_LARGE',
  OutcomeRefused: 'FLOW_OUTCOME_REFUSED',
  FanOutTooLarge: 'FLOW_FAN_OUT_TOO_LARGE',
  DynamicNodeInvalid: 'FLOW_DYNAMIC_NODE_INVALID',
  ForeignContextInvalid: 'FLOW_FOREIGN_CONTEXT_INVALID',
  EncryptionKeyUnknown: 'FLOW_ENCRYPTION_KEY_UNKNOWN',
  DecryptionFailed: 'FLOW_DECRYPTION_FAILED',
  TooManyTurns: 'FLOW_TOO_MANY_TURNS',
  NodeTimeout: 'FLOW_NODE_TIMEOUT',
  RunTimeout: 'FLOW_RUN_TIMEOUT',
  JobMalformed: 'FLOW_JOB_MALFORMED',
  JobFormatTooNew: 'FLOW_JOB_FORMAT_TOO_NEW',
  ConnectFailed: 'FLOW_CONNECT_FAILED',
  Unavailable: 'FLOW_UNAVAILABLE',
  CallTimeout: 'FLOW_CALL_TIMEOUT',
  SchemaMissing: 'FLOW_SCHEMA_MISSING',
  TopicMissing: 'FLOW_TOPIC_MISSING',
  DrainTimeout: 'FLOW_DRAIN_TIMEOUT',
  IllegalState: 'FLOW_ILLEGAL_STATE',
  Internal: 'FLOW_INTERNAL',
  Closed: 'FLOW_CLOSED',
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];
