/** How deep kafkajs nests the error of the broker in errors of its own. */
const MAX_DEPTH = 8;

/** Errors of the broker that are the message's own fault: sending it again can't help. */
const MESSAGE_FAULTS = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD']);
const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** The broker will not do it, however often it is asked. */
const REFUSALS = new Set([
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_PARTITIONS',
  'INVALID_CONFIG',
  'INVALID_REQUEST',
  'POLICY_VIOLATION',
]);

/** The name that the Kafka protocol gives to what went wrong, wherever kafkajs has wrapped it. */
export function protocolErrorOf(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_DEPTH && typeof current === 'object' && current !== null; depth++) {
    if ('type' in current && typeof current.type === 'string') return current.type;
    current = innerErrorOf(current);
  }
  return undefined;
}

export function isMessageFault(error: unknown): boolean {
  return MESSAGE_FAULTS.has(protocolErrorOf(error) ?? '');
}

export function isTooLarge(error: unknown): boolean {
  return TOO_LARGE.has(protocolErrorOf(error) ?? '');
}

/** Also wrong options and missing rights; not the number of replicas, for which brokers may still be starting. */
export function isRefusal(error: unknown): boolean {
  const type = protocolErrorOf(error) ?? '';
  return REFUSALS.has(type) || type.endsWith('AUTHORIZATION_FAILED');
}

/** What the broker said, without kafkajs' wrapping. */
export function reasonOf(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < MAX_DEPTH && typeof current === 'object' && current !== null; depth++) {
    const inner = innerErrorOf(current);
    if (inner === undefined) break;
    current = inner;
  }
  return current instanceof Error ? current.message : String(current);
}

export function isTopicMissing(error: unknown): boolean {
  return protocolErrorOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION';
}

/** An aggregate (creating several topics) carries the broker's errors in `errors`. */
function innerErrorOf(error: object): unknown {
  if ('cause' in error && error.cause !== undefined) return error.cause;
  return 'errors' in error && Array.isArray(error.errors) ? (error.errors as unknown[])[0] : undefined;
}
