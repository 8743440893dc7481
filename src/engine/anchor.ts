import type { UnsentTurn } from './turns-under-way.js';

/**
 * What one message stands for until its offset may be committed: its turn, and the turns that went on here without a
 * message of their own. It is over when each of these has settled, with nothing more to come of it, or has a message.
 */
export class Anchor {
  readonly over: Promise<void>;
  /** When it was over, milliseconds since 1970. */
  overAt: number | undefined;
  /** Turns that have no message, by the key they have here. */
  readonly unsent = new Map<string, UnsentTurn>();
  /** Since when there are such turns. */
  since = 0;
  private held = 0;
  private resolve!: () => void;
  private reject!: (error: unknown) => void;

  constructor(private readonly now: () => number) {
    this.over = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // nobody may be waiting for it
    this.over.catch(() => undefined);
  }

  /** It is not over before `release` was called as often. */
  hold(): void {
    this.held++;
  }

  release(): void {
    if (--this.held > 0) return;
    this.overAt = this.now();
    this.resolve();
  }

  /** What it stands for can't be handed on any more: its message has to be delivered again. */
  fail(error: unknown): void {
    this.reject(error);
  }
}
