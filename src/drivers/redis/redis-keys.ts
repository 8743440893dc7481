const IDLE_SHARDS = 16;
const TIMER_SHARDS = 8;

/** A shard of the timers: a sorted set by time, and until when it is known to be complete. */
export interface TimerKeys {
  readonly set: string;
  readonly known: string;
}

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

  cursor(name: string): string {
    return `${this.prefix}:cursor:${name}`;
  }

  /** Runs are spread over several sets, so that a cluster spreads them over its servers. */
  idle(runId: string): string {
    return this.shard(shardOf(runId, IDLE_SHARDS));
  }

  idleShards(): string[] {
    return Array.from({ length: IDLE_SHARDS }, (_, shard) => this.shard(shard));
  }

  /** Timers are spread likewise; what is known of a shard is lost together with it. */
  timers(runId: string): TimerKeys {
    return this.timerShard(shardOf(runId, TIMER_SHARDS));
  }

  timerShards(): TimerKeys[] {
    return Array.from({ length: TIMER_SHARDS }, (_, shard) => this.timerShard(shard));
  }

  channel(kind: 'ends' | 'cancels'): string {
    return `${this.prefix}:${kind}`;
  }

  private shard(shard: number): string {
    return `${this.prefix}:idle:${shard}`;
  }

  private timerShard(shard: number): TimerKeys {
    const set = `${this.prefix}:{timers:${shard}}`;
    return { set, known: `${set}:known` };
  }
}

/** FNV-1a. */
function shardOf(runId: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < runId.length; i++) hash = Math.imul(hash ^ runId.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}
