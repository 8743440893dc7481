/**
 * `LedgerState.close`: nothing of the run is claimed or settled any more.
 *
 * KEYS: the run's hash.
 * ARGV: status, time to live from now on in ms.
 * Answers: 1, or 0 if there is no such hash.
 */
export const END = String.raw`
if redis.call('HEXISTS', KEYS[1], 'i') == 0 then return 0 end
redis.call('HSET', KEYS[1], 'x', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`;
