/** Spreads runs over the partitions of a time. FNV-1a. Never change it: rows would not be found any more. */
export function shardOf(runId: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(runId)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % shards;
}
