/** Why a message was parked. */
export interface DeadLetterReason {
  /** One of ErrorCode, or a word of the same kind. */
  readonly code: string;
  readonly message: string;
}

const MAX_REASON_CHARS = 2000;

/** Names that Kafka tools know, too. */
export const DEAD_HEADERS = {
  topic: 'x-original-topic',
  partition: 'x-original-partition',
  offset: 'x-original-offset',
  code: 'x-reason-code',
  message: 'x-reason-message',
  failedAt: 'x-failed-at',
  /** Of a letter that was too large: how large it was. */
  bytes: 'x-original-bytes',
} as const;

/** On a job that was sent again: which dead letter it was, as `partition:offset`, and when that was. ISO 8601. */
export const REDRIVE_HEADERS = { from: 'x-redriven-from', at: 'x-redriven-at' } as const;

type Headers = Readonly<Record<string, string>>;

/** The headers of a dead letter: those of the message, where it came from, and why it was parked. */
export function deadLetterHeaders(
  message: { readonly headers: Headers; readonly partition: number; readonly offset: string },
  topic: string,
  reason: DeadLetterReason,
  failedAt: Date,
): Record<string, string> {
  return {
    ...message.headers,
    [DEAD_HEADERS.topic]: topic,
    [DEAD_HEADERS.partition]: String(message.partition),
    [DEAD_HEADERS.offset]: message.offset,
    [DEAD_HEADERS.code]: reason.code,
    [DEAD_HEADERS.message]: reason.message.slice(0, MAX_REASON_CHARS),
    [DEAD_HEADERS.failedAt]: failedAt.toISOString(),
  };
}

/** The headers under which a dead letter is sent to the jobs again: its own, and whose it is. */
export function redriveHeaders(headers: Headers, letter: string, at: Date): Record<string, string> {
  const ours = new Set<string>(Object.values(DEAD_HEADERS));
  const own = Object.entries(headers).filter(([name]) => !ours.has(name));
  return { ...Object.fromEntries(own), [REDRIVE_HEADERS.from]: letter, [REDRIVE_HEADERS.at]: at.toISOString() };
}

/** When a job was sent again; undefined for one that never was a dead letter. Milliseconds since 1970. */
export function redrivenAt(headers: Headers): number | undefined {
  const at = Date.parse(headers[REDRIVE_HEADERS.at] ?? '');
  return Number.isNaN(at) ? undefined : at;
}
