/**
 * `LedgerState.close`: nothing of the run is claimed or settled any more.
 *
 * KEYS: the run's hash.
 * ARGV: status, time to live from now on in ms, the token below which all of the run must lie ('' for any).
 * Answers: 1, or 0 if a token as high as that was granted.
 */
export const END = String.raw`
if redis.call('HEXISTS', KEYS[1], 'i') == 0 then return 1 end
local below = tonumber(ARGV[3])
if below and tonumber(redis.call('HGET', KEYS[1], 't') or '0') >= below then return 0 end
redis.call('HSET', KEYS[1], 'x', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`;
