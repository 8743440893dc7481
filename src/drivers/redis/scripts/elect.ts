/**
 * Elects one of several for a while. The one that has it keeps it by asking again.
 *
 * KEYS: the election.
 * ARGV: owner, time to live in ms.
 * Answers: 1 if the owner has it, else 0.
 */
export const ELECT = String.raw`
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`;
