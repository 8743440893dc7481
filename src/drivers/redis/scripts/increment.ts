/**
 * Counts, and sets the time to live with it: a counter that lost its time to live would stay for ever.
 *
 * KEYS: the counter.
 * ARGV: time to live in seconds.
 * Answers: the new value.
 */
export const INCREMENT = String.raw`
local value = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return value
`;
