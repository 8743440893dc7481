const IDLE_SHARDS = 16;

/** The names of all keys and channels. In a cluster, all keys of one run share a slot: the braces mark what is hashed. */
export class RedisKeys {
  constructor(private readonly prefix: string) {}

  run(runId: string): string {
    return `${this.prefix}:{${runId}}`;
  }

  lock(runId: string): string {
    return `${this.prefix}:{${runId}}:lock`;
  }

  worker(worker: string): string {
    return `${this.prefix}:worker:${worker}`;
  }

  election(name: string): string {
    return `${this.prefix}:elect:${name}`;
  }

  /** Runs are spread over several sets, so that a cluster spreads them over its servers. */
  idle(runId: string): string {
    return this.shard(shardOf(runId));
  }

  idleShards(): string[] {
    return Array.from({ length: IDLE_SHARDS }, (_, shard) => this.shard(shard));
  }

  channel(kind: 'ends' | 'cancels'): string {
    return `${this.prefix}:${kind}`;
  }

  private shard(shard: number): string {
    return `${this.prefix}:idle:${shard}`;
  }
}

/** FNV-1a. */
function shardOf(runId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < runId.length; i++) hash = Math.imul(hash ^ runId.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % IDLE_SHARDS;
}
