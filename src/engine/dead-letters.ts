import { DEAD_HEADERS, redriveHeaders, type DeadLetterReason } from '../core/dead-letter.js';
import { isRunId } from '../core/identifiers.js';
import type { Clock } from '../ports/clock.js';
import type { DeadBounds, JobQueue, RawMessage } from '../ports/job-queue.js';
import type { Ledger } from '../ports/ledger.js';
import type { Logger } from '../ports/logger.js';
import type { RedriveMark, RunStore } from '../ports/run-store.js';
import type { ClientCalls } from './client-calls.js';
import { assertInput, deadListInput, deadRedriveInput } from './client-input.js';
import { cursorOf, idOf, isAtEnd, max, placeOf, positionsOf, type Positions } from './dead-letter-positions.js';

/** A message that can never succeed, as it was parked. */
export interface DeadLetter {
  /** Partition and offset on the topic of the dead letters. */
  readonly id: string;
  readonly reason: DeadLetterReason;
  /** ISO 8601. */
  readonly failedAt: string;
  readonly key: string | null;
  /** The bytes of the message, read as UTF-8. */
  readonly payload: string | null;
  /** Where the message had been. */
  readonly original: { readonly topic: string; readonly partition: number; readonly offset: string };
  /** Whose job it is, as far as it can be read. */
  readonly runId?: string;
  readonly nodeId?: string;
  /** When it was sent again; ISO 8601. */
  readonly redrivenAt?: string;
  /** Only the beginning of it was kept, because it was too large: it cannot be sent again. */
  readonly truncated?: true;
}

export interface DeadLetterListOptions {
  /** Of the reason. */
  readonly code?: string;
  readonly runId?: string;
  /** Also those that were sent again. Default false. */
  readonly includeRedriven?: boolean;
  /** 1 to 1000; default 100. */
  readonly limit?: number;
  readonly cursor?: string;
}

export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[];
  /** Where to read on; absent at the end of what was there. */
  readonly cursor?: string;
}

/** Which dead letters are sent again; a filter without `code` and `runId` needs `all`. */
export interface DeadLetterFilter {
  readonly code?: string;
  readonly runId?: string;
  readonly all?: true;
  /** At most so many; default 1000. */
  readonly limit?: number;
}

export interface RedriveResult {
  /** Ids of those that were sent again now. */
  readonly redriven: readonly string[];
  /** `under way`: another call sends it at this moment. */
  readonly skipped: readonly { readonly id: string; readonly why: RedriveSkip }[];
}

export type RedriveSkip = 'not found' | 'redriven before' | 'under way' | 'truncated';

export interface DeadLettersParts {
  readonly queue: JobQueue;
  readonly store: RunStore;
  readonly ledger: Ledger;
  /** Tells one call from another. */
  readonly newCallId: () => string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly calls: ClientCalls;
}

const DEFAULT_LIMIT = 100;
const DEFAULT_REDRIVES = 1000;
/** Letters that are read at a time. */
const PAGE = 500;
/**
 * So long a call has a letter for itself: longer than from looking whether it was sent before to having noted that it
 * was. If the process is lost in between, the letter can be sent again after this.
 */
const HELD_MS = 30_000;

/** Lists parked messages and sends them again. What was sent again is remembered in the store: the letters stay. */
export class DeadLetters {
  constructor(private readonly parts: DeadLettersParts) {}

  async list(options: DeadLetterListOptions): Promise<DeadLetterPage> {
    assertInput('deadLetters.list()', deadListInput, options);
    const { limit = DEFAULT_LIMIT, includeRedriven = false } = options;
    const from = options.cursor === undefined ? new Map<number, bigint>() : positionsOf(options.cursor);
    return this.parts.calls.run('deadLetters.list()', undefined, async () => {
      const bounds = await this.parts.queue.deadBounds();
      const { letters, next } = await this.read(bounds, from, limit);
      const shown = letters.filter((letter) => matches(letter, options) && (includeRedriven || !letter.redrivenAt));
      return { letters: shown, ...(isAtEnd(bounds, next) ? {} : { cursor: cursorOf(next) }) };
    });
  }

  async redrive(which: string | readonly string[] | DeadLetterFilter): Promise<RedriveResult> {
    const given = typeof which === 'string' ? [which] : which;
    assertInput('deadLetters.redrive()', deadRedriveInput, given, 'which');
    const call = this.parts.newCallId();
    return isIds(given)
      ? this.inTime(() => this.redriveIds([...new Set(given)], call))
      : this.redriveMatching(given, call);
  }

  /** Many letters are a page after the other, and each page has the time of a call. */
  private inTime<T>(work: () => Promise<T>): Promise<T> {
    return this.parts.calls.run('deadLetters.redrive()', undefined, work);
  }

  private async redriveIds(ids: readonly string[], call: string): Promise<RedriveResult> {
    const places = ids.map(placeOf).sort((a, b) => a.partition - b.partition || (a.offset < b.offset ? -1 : 1));
    const bounds = new Map((await this.parts.queue.deadBounds()).map((bound) => [bound.partition, bound]));
    const here = places.filter(({ partition, offset }) => {
      const bound = bounds.get(partition);
      return bound !== undefined && offset >= bound.first && offset < bound.next;
    });
    const messages = await this.parts.queue.readDead(
      here.map(({ partition, offset }) => ({ partition, from: offset, to: offset + 1n, limit: 1 })),
    );
    const result = await this.send(await this.described(messages), call);
    const seen = new Set(messages.map(idOf));
    const missing = ids.filter((id) => !seen.has(id)).map((id) => ({ id, why: 'not found' as const }));
    return { ...result, skipped: [...result.skipped, ...missing] };
  }

  private async redriveMatching(filter: DeadLetterFilter, call: string): Promise<RedriveResult> {
    const { limit = DEFAULT_REDRIVES } = filter;
    const bounds = await this.inTime(() => this.parts.queue.deadBounds());
    const redriven: string[] = [];
    const skipped: RedriveResult['skipped'][number][] = [];
    for (let from: Positions = new Map(); !isAtEnd(bounds, from) && redriven.length < limit;) {
      const page: Positions = from;
      const { next, result } = await this.inTime(async () => {
        const { letters, next } = await this.read(bounds, page, PAGE);
        const due = letters.filter((letter) => matches(letter, filter) && !letter.redrivenAt);
        return { next, result: await this.send(due.slice(0, limit - redriven.length), call) };
      });
      redriven.push(...result.redriven);
      skipped.push(...result.skipped);
      from = next;
    }
    return { redriven, skipped };
  }

  /**
   * Sends, then marks: a letter may be sent twice if this process is lost in between, which is harmless. Of several
   * calls at a time one has the letter.
   */
  private async send(letters: readonly Described[], call: string): Promise<RedriveResult> {
    const { queue, store, clock, logger } = this.parts;
    const free = letters.filter((letter) => !letter.redrivenAt && !letter.truncated);
    const isOurs = await Promise.all(free.map((letter) => this.hold(letter, call, HELD_MS)));
    const due = free.filter((_, i) => isOurs[i]);
    const at = clock.now();
    try {
      await Promise.all(
        due.map(({ id, message }) => queue.redrive(message, redriveHeaders(message.headers, id, new Date(at)))),
      );
      const marks = due.map(({ id, failedAt }): RedriveMark => ({ ...placeOf(id), failedAt, at }));
      await store.markRedriven(queue.deadTopic, marks);
    } catch (error) {
      // whoever tries again need not wait; if this fails too, it is free after a while
      await Promise.allSettled(due.map((letter) => this.hold(letter, call, 1)));
      throw error;
    }
    if (due.length > 0)
      logger.log(`Sent ${due.length} dead letter(s) again.`, { letters: due.slice(0, 10).map((l) => l.id) });
    const skipped = letters
      .filter((letter) => !due.includes(letter))
      .map((letter) => ({ id: letter.id, why: why(letter) }));
    return { redriven: due.map(({ id }) => id), skipped };
  }

  private hold({ id }: Described, call: string, ms: number): Promise<boolean> {
    return this.parts.ledger.elect(`redrive:${this.parts.queue.deadTopic}:${id}`, call, ms);
  }

  /** At most `limit` letters after these positions, partition by partition, and where to read on. */
  private async read(
    bounds: readonly DeadBounds[],
    from: Positions,
    limit: number,
  ): Promise<{ letters: Described[]; next: Positions }> {
    const ranges: { partition: number; from: bigint; to: bigint; limit: number }[] = [];
    const next = new Map<number, bigint>();
    let left = BigInt(limit);
    for (const { partition, first, next: end } of bounds) {
      const begin = max(from.get(partition) ?? first, first);
      const to = begin + left < end ? begin + left : end;
      if (to > begin) ranges.push({ partition, from: begin, to, limit });
      left -= to > begin ? to - begin : 0n;
      next.set(partition, max(to, begin));
    }
    const messages = ranges.length === 0 ? [] : await this.parts.queue.readDead(ranges);
    return { letters: await this.described(messages), next };
  }

  private async described(messages: readonly RawMessage[]): Promise<Described[]> {
    const marks = await this.marksOf(messages);
    return messages.map((message) => describe(message, marks));
  }

  private async marksOf(messages: readonly RawMessage[]): Promise<Map<string, RedriveMark>> {
    const { store, queue } = this.parts;
    const partitions = [...new Set(messages.map(({ partition }) => partition))];
    const marks = await Promise.all(
      partitions.map((partition) => {
        const offsets = messages.filter((m) => m.partition === partition).map(({ offset }) => BigInt(offset));
        const last = offsets.reduce(max);
        return store.redriven(
          queue.deadTopic,
          partition,
          offsets.reduce((a, b) => (a < b ? a : b)),
          last + 1n,
        );
      }),
    );
    return new Map(marks.flat().map((mark) => [`${mark.partition}:${mark.offset}`, mark]));
  }
}

type Described = DeadLetter & { readonly message: RawMessage };

function describe(message: RawMessage, marks: ReadonlyMap<string, RedriveMark>): Described {
  const { headers, key, value } = message;
  const id = idOf(message);
  const failedAt = headers[DEAD_HEADERS.failedAt] ?? '';
  const mark = marks.get(id);
  const letter: Omit<DeadLetter, 'redrivenAt'> = {
    id,
    reason: { code: headers[DEAD_HEADERS.code] ?? '', message: headers[DEAD_HEADERS.message] ?? '' },
    failedAt,
    key: key?.toString() ?? null,
    payload: value?.toString() ?? null,
    original: {
      topic: headers[DEAD_HEADERS.topic] ?? '',
      partition: Number(headers[DEAD_HEADERS.partition] ?? -1),
      offset: headers[DEAD_HEADERS.offset] ?? '',
    },
    ...idsIn(value),
    ...(headers[DEAD_HEADERS.bytes] === undefined ? {} : { truncated: true }),
  };
  const redrivenAt = mark?.failedAt === failedAt ? { redrivenAt: new Date(mark.at).toISOString() } : {};
  // for those who send it again; not a part of what is listed
  return Object.defineProperty({ ...letter, ...redrivenAt } as Described, 'message', { value: message });
}

function why({ redrivenAt, truncated }: Described): RedriveSkip {
  if (redrivenAt) return 'redriven before';
  return truncated ? 'truncated' : 'under way';
}

/** Whose job it says that it is, whatever else is wrong with it. */
function idsIn(value: Buffer | null): { runId?: string; nodeId?: string } {
  try {
    const { runId, nodeId } = JSON.parse(value?.toString() ?? '{}') as Record<string, unknown>;
    return { ...(isRunId(runId) ? { runId } : {}), ...(typeof nodeId === 'string' ? { nodeId } : {}) };
  } catch {
    return {};
  }
}

function matches(letter: DeadLetter, { code, runId }: { code?: string; runId?: string }): boolean {
  return (code === undefined || letter.reason.code === code) && (runId === undefined || letter.runId === runId);
}

function isIds(which: readonly string[] | DeadLetterFilter): which is readonly string[] {
  return Array.isArray(which);
}
