import { timerKey, type Timer } from '../../core/timer.js';
import type { Clock } from '../../ports/clock.js';
import type { DueTimers, TimerIndex, TimerRows } from '../../ports/timers.js';

/** What Cassandra would hold of the timers. */
export class MemoryTimerData {
  readonly pending = new Map<string, Timer>();
  readonly done = new Set<string>();
  doneBefore: number | undefined;
}

export class MemoryTimerRows implements TimerRows {
  constructor(
    private readonly clock: Clock,
    private readonly data: MemoryTimerData,
  ) {
    data.doneBefore ??= clock.now();
  }

  async add(timer: Timer): Promise<void> {
    const key = timerKey(timer);
    if (!this.data.done.has(key)) this.data.pending.set(key, { ...timer });
  }

  async finish(timer: Timer): Promise<void> {
    const key = timerKey(timer);
    this.data.pending.delete(key);
    this.data.done.add(key);
  }

  async pending(from: number, to: number): Promise<Timer[]> {
    return [...this.data.pending.values()].filter(({ due }) => due >= from && due < to).map((timer) => ({ ...timer }));
  }

  async doneBefore(): Promise<number> {
    return this.data.doneBefore ?? this.clock.now();
  }

  async setDoneBefore(moment: number): Promise<void> {
    this.data.doneBefore = Math.max(moment, this.data.doneBefore ?? moment);
  }
}

/** What Redis would hold of the timers. */
export class MemoryTimerIndexData {
  readonly timers = new Map<string, { readonly timer: Timer; score: number }>();
  knownUntil = 0;

  clear(): void {
    this.timers.clear();
    this.knownUntil = 0;
  }
}

export class MemoryTimerIndex implements TimerIndex {
  constructor(
    private readonly clock: Clock,
    private readonly data: MemoryTimerIndexData,
  ) {}

  async connect(): Promise<void> {}

  async close(): Promise<void> {}

  async add(timers: readonly Timer[]): Promise<void> {
    for (const timer of timers) {
      const key = timerKey(timer);
      if (!this.data.timers.has(key)) this.data.timers.set(key, { timer: { ...timer }, score: timer.due });
    }
  }

  async take(limit: number, holdMs: number): Promise<DueTimers> {
    const now = this.clock.now();
    const due: Timer[] = [];
    let next: number | undefined;
    for (const entry of [...this.data.timers.values()].sort((a, b) => a.score - b.score)) {
      if (entry.score <= now && due.length < limit) {
        entry.score = now + holdMs;
        due.push({ ...entry.timer });
      }
      next = next === undefined ? entry.score : Math.min(next, entry.score);
    }
    const { knownUntil } = this.data;
    return { due, knownUntil, ...(next === undefined ? {} : { nextInMs: Math.max(0, next - now) }) };
  }

  async remove(timers: readonly Timer[]): Promise<void> {
    for (const timer of timers) this.data.timers.delete(timerKey(timer));
  }

  async setKnownUntil(moment: number): Promise<void> {
    this.data.knownUntil = moment;
  }
}
