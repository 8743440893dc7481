import type { Client, token } from 'cassandra-driver';
import { LRUCache } from 'lru-cache';

const KEPT = 5_000;

/**
 * Where the rows of runs lie on the ring of nodes. The driver works it out by itself for single statements, but not for a
 * batch that is prepared as a whole, and it takes longer for that than for anything else that it does for a statement.
 */
export class RunTokens {
  private readonly known = new LRUCache<string, token.Token>({ max: KEPT });

  constructor(private readonly client: Pick<Client, 'hosts' | 'metadata'>) {}

  /** Undefined where one node has all rows. */
  of(runId: string): token.Token | undefined {
    if (this.client.hosts.length < 2) return undefined;
    let found = this.known.get(runId);
    if (!found) {
      found = this.client.metadata.newToken(Buffer.from(runId));
      this.known.set(runId, found);
    }
    return found;
  }
}
