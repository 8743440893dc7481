import { END } from './end.js';

/**
 * `END`, and the run needs no watching any more. Not in a cluster, as `BEGIN`.
 *
 * KEYS: the run's hash, the sorted set of the shard.
 * ARGV: as `END` has them, then the run id.
 */
export const CONCLUDE = String.raw`
local function close()
${END}
end
local closed = close()
if closed == 1 then redis.call('ZREM', KEYS[2], ARGV[4]) end
return closed
`;
