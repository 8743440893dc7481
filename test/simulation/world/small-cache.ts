import { LRUCache as Cache } from 'lru-cache';

const LARGEST = 64;

/**
 * Stands in for `lru-cache` in the compiled simulation (scripts/compile-simulation.mjs): caches of the size that a worker
 * has cost more to allocate than a whole schedule to run, and in small ones entries are also evicted.
 */
export class LRUCache<K extends NonNullable<unknown>, V extends NonNullable<unknown>> extends Cache<K, V> {
  constructor(options: Cache.Options<K, V, unknown>) {
    super(options.max === undefined ? options : { ...options, max: Math.min(options.max, LARGEST) });
  }
}
