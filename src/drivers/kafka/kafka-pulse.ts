import type { EachBatchPayload } from 'kafkajs';
import type { Clock } from '../../ports/clock.js';

/**
 * The signs of life of one kafkajs consumer. kafkajs sends heartbeats only between fetches, and fetches again only when
 * every batch is handed over; so while one waits for room the heartbeats are sent from here.
 */
export class KafkaPulse {
  private lastSignAt: number;
  private batches = 0;
  private payload: EachBatchPayload | undefined;
  private cancelBeat: (() => void) | undefined;
  private readonly fetches = new Map<number, number>();
  /** Fetches that were under way when the group assigned anew: they bring messages from positions that are void. */
  private readonly fetchesBeforeJoin = new Map<number, number>();

  constructor(
    private readonly clock: Clock,
    private readonly beatMs: number,
    private readonly onLost: (why: unknown) => void,
  ) {
    this.lastSignAt = clock.now();
  }

  sign(): void {
    this.lastSignAt = this.clock.now();
  }

  /** A broker is asked again only when all that it sent before was handed over or left. */
  fetchStarted(nodeId: number): void {
    this.sign();
    this.fetchesBeforeJoin.delete(nodeId);
    this.fetches.set(nodeId, this.lastSignAt);
  }

  fetchEnded(nodeId: number): void {
    this.sign();
    this.fetches.delete(nodeId);
  }

  joined(): void {
    this.sign();
    for (const [nodeId, startedAt] of this.fetches) this.fetchesBeforeJoin.set(nodeId, startedAt);
  }

  get hasFetchesBeforeJoin(): boolean {
    return this.fetchesBeforeJoin.size > 0;
  }

  /** Nothing was heard, or a fetch is not answered, for `limitMs`. */
  isStalled(limitMs: number): boolean {
    const since = this.clock.now() - limitMs;
    if (this.lastSignAt <= since) return true;
    return [...this.fetches.values(), ...this.fetchesBeforeJoin.values()].some((startedAt) => startedAt <= since);
  }

  batchStarted(payload: EachBatchPayload): void {
    this.batches++;
    this.payload = payload;
    if (this.batches === 1) this.beatLater();
  }

  batchEnded(): void {
    if (--this.batches === 0) this.end();
  }

  end(): void {
    this.cancelBeat?.();
    this.cancelBeat = undefined;
    this.payload = undefined;
  }

  private beatLater(): void {
    this.cancelBeat?.();
    this.cancelBeat = this.clock.after(this.beatMs, () => {
      const { payload } = this;
      if (payload) void this.beat(payload);
    });
  }

  private async beat(payload: EachBatchPayload): Promise<void> {
    if (!payload.isRunning() || payload.isStale()) this.onLost('the consumer ends');
    try {
      await payload.heartbeat();
    } catch (error) {
      // kafkajs meets the same error in its own next heartbeat, and deals with it once the batches are left
      this.onLost(error);
    }
    if (this.payload) this.beatLater();
  }
}
