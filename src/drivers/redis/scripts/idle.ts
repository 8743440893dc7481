/**
 * The runs of a shard that made no progress for a while, the longest idle first.
 *
 * KEYS: the sorted set of the shard.
 * ARGV: for how many microseconds, most runs to answer.
 * Answers: run id and time of its last progress in microseconds, in turn.
 */
export const IDLE = String.raw`
local time = redis.call('TIME')
local before = string.format('%.0f', time[1] * 1000000 + time[2] - ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
`;
