import type { IHeaders, KafkaMessage } from 'kafkajs';
import { DEAD_HEADERS, deadLetterHeaders } from '../../core/dead-letter.js';
import { encodeJob, type Job } from '../../core/envelope.js';
import type { DeadLetterReason, RawMessage } from '../../ports/job-queue.js';

/** What is kept of a dead letter that, with its reason, no longer fits into a message. */
const MAX_EXCERPT_BYTES = 65_536;
const MAX_EXCERPT_KEY_BYTES = 1024;
const MAX_EXCERPT_HEADER_BYTES = 8192;

/** A message as it is sent. Its size is known, so that a send can be bounded. */
export interface OutgoingMessage {
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** By default all jobs of a run go to one partition: its order and its worker's caches stay together. */
export function jobMessage(job: Job, key: string = job.runId): OutgoingMessage {
  return { key, value: encodeJob(job) };
}

export function deadLetter(
  topic: string,
  message: RawMessage,
  reason: DeadLetterReason,
  failedAt: Date,
): OutgoingMessage {
  return {
    key: message.key,
    value: message.value,
    headers: deadLetterHeaders(message, topic, reason, failedAt),
  };
}

/** The beginning of a dead letter that is too large; the whole is still where its headers say, until Kafka removes it. */
export function excerptOf({ key, value, headers = {} }: OutgoingMessage): OutgoingMessage {
  return {
    key: beginningOf(key, MAX_EXCERPT_KEY_BYTES),
    value: beginningOf(value, MAX_EXCERPT_BYTES),
    headers: { ...fewHeaders(headers), [DEAD_HEADERS.bytes]: String(Buffer.byteLength(value ?? '')) },
  };
}

function beginningOf(text: string | Buffer | null, bytes: number): Buffer | null {
  return text === null ? null : Buffer.from(text).subarray(0, bytes);
}

/** All that say why, and of the message's own as many as there is room for. */
function fewHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const reasons = new Set<string>(Object.values(DEAD_HEADERS));
  let room = MAX_EXCERPT_HEADER_BYTES;
  const kept = Object.entries(headers).filter(([name, value]) => {
    if (reasons.has(name)) return true;
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(value);
    if (bytes > room) return false;
    room -= bytes;
    return true;
  });
  return Object.fromEntries(kept);
}

export function rawMessage(partition: number, message: KafkaMessage): RawMessage {
  return {
    value: message.value,
    key: message.key,
    headers: textHeaders(message.headers),
    partition,
    offset: message.offset,
  };
}

/** Of a header that is there several times the last one counts. */
function textHeaders(headers: IHeaders | undefined): Record<string, string> {
  const entries = Object.entries(headers ?? {}).flatMap(([name, value]): [string, string][] => {
    const last = Array.isArray(value) ? value.at(-1) : value;
    return last === undefined ? [] : [[name, last.toString()]];
  });
  return Object.fromEntries(entries);
}
