import type { UnsentTurn } from './turns-under-way.js';

/**
 * What one message stands for until its offset may be committed: its turn, and the turns that went on here without a
 * message of their own. It is over when each of these has settled, with nothing more to come of it, or has a message.
 */
export class Anchor {
  readonly over: Promise<void>;
  /** When it was over, milliseconds since 1970. */
  overAt: number | undefined;
  /** What it stands for could not be handed on: its message is to find out anew what is left to do. */
  hasFailed = false;
  /** Since when there are turns without a message. */
  since = 0;
  private unsent: Map<string, UnsentTurn> | undefined;
  private held = 0;
  private end: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor() {
    this.over = new Promise((resolve, reject) => {
      this.end = { resolve, reject };
    });
    // nobody may be waiting for it
    this.over.catch(() => undefined);
  }

  /** Turns that have no message, by the key they have here. */
  get turns(): ReadonlyMap<string, UnsentTurn> {
    return this.unsent ?? NONE;
  }

  /** A turn goes on without a message. */
  add(key: string, turn: UnsentTurn, now: number): void {
    this.unsent ??= new Map();
    if (this.unsent.size === 0) this.since = now;
    this.unsent.set(key, turn);
  }

  /** The turn has settled, or its message is on its way. */
  remove(key: string): void {
    this.unsent?.delete(key);
  }

  /** It is not over before `release` was called as often. */
  hold(): void {
    this.held++;
  }

  release(now: number): void {
    if (--this.held > 0) return;
    this.overAt = now;
    this.end?.resolve();
    // many are remembered for a while
    this.end = this.unsent = undefined;
  }

  /** What it stands for can't be handed on any more: its message has to be delivered again. */
  fail(error: unknown): void {
    this.hasFailed = true;
    this.end?.reject(error);
  }
}

const NONE: ReadonlyMap<string, UnsentTurn> = new Map();
