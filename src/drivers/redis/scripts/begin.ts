import { INSTALL } from './install.js';

/**
 * `INSTALL` without a lock, and the run's progress, for which a command of its own costs as much again. In a cluster the
 * keys may lie on several servers, so there it cannot be used.
 *
 * KEYS: the run's hash, the run's lock, the sorted set of the shard.
 * ARGV: '', time to live in ms, then names and values of the fields in turn; last the run id.
 */
export const BEGIN = String.raw`
local time = redis.call('TIME')
redis.call('ZADD', KEYS[3], string.format('%.0f', time[1] * 1000000 + time[2]), table.remove(ARGV))
${INSTALL}`;
