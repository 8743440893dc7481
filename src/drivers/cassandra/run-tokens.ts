import type { Client, token } from 'cassandra-driver';
import { LRUCache } from 'lru-cache';

const KEPT = 5_000;

/**
 * Where the rows of runs lie on the ring of nodes. The driver works it out anew for each single statement, which takes it
 * longer than anything else that it does for one, and not at all for a batch that is prepared as a whole.
 */
export class RunTokens {
  private readonly known = new LRUCache<string, token.Token>({ max: KEPT });

  constructor(private readonly client: Pick<Client, 'metadata'>) {}

  /** Undefined while a client that the application made has not connected yet: it knows no ring. */
  of(runId: string): token.Token | undefined {
    let found = this.known.get(runId);
    if (!found) {
      if (!(this.client.metadata as { tokenizer?: unknown }).tokenizer) return undefined;
      found = this.client.metadata.newToken(Buffer.from(runId));
      this.known.set(runId, found);
    }
    return found;
  }
}
