/**
 * Puts the whole state of a run in place.
 *
 * KEYS: the run's hash, the run's lock.
 * ARGV: the lock that must hold ('' for none), time to live in ms, then names and values of the fields in turn.
 * Answers: 1 if this state is installed, 0 if there was one or the lock is another's by now.
 */
export const INSTALL = String.raw`
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
-- unpack has a limit of some thousand values
for i = 3, #ARGV, 1000 do redis.call('HSET', KEYS[1], unpack(ARGV, i, math.min(i + 999, #ARGV))) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
return 1
`;
