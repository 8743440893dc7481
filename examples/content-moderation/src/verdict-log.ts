import { Injectable } from '@nestjs/common';
import type { Verdict } from './verdict.js';

/**
 * Stands in for the service that publishes or removes texts. It knows idempotency, as a payment service or a table with
 * a unique key would: a key that it has seen changes nothing.
 */
@Injectable()
export class VerdictLog {
  private readonly entries = new Map<string, Verdict>();

  async record(idempotencyKey: string, verdict: Verdict): Promise<void> {
    if (!this.entries.has(idempotencyKey)) this.entries.set(idempotencyKey, verdict);
  }

  get size(): number {
    return this.entries.size;
  }
}
