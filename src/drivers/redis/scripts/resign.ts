/**
 * Gives up an election before its time.
 *
 * KEYS: the election.
 * ARGV: owner.
 */
export const RESIGN = String.raw`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`;
