import { randomUUID } from 'node:crypto';

const KEPT = 1000;

/**
 * Names each attempt at a conditional write. Of a write whose outcome stayed unknown the name is kept, so that when
 * the caller repeats the call, its own earlier write is recognised and not taken for somebody else's.
 */
export class UncertainAttempts {
  private readonly names = new Map<string, string>();

  /** The name of an attempt at `what`: that of the one whose outcome is unknown, or a new one. */
  take(what: string): string {
    const kept = this.names.get(what);
    this.names.delete(what);
    return kept ?? randomUUID();
  }

  /** The outcome of this attempt is unknown. */
  keep(what: string, name: string): void {
    this.names.set(what, name);
    for (const oldest of this.names.keys()) {
      if (this.names.size <= KEPT) return;
      this.names.delete(oldest);
    }
  }
}
