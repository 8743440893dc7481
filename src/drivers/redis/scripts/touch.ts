/**
 * Notes progress of runs, by the clock of the server.
 *
 * KEYS: the sorted set of the shard.
 * ARGV: for how many microseconds ahead, run ids.
 * Answers: how many were not in the set before.
 */
export const TOUCH = String.raw`
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000000 + time[2] + ARGV[1])
local added = 0
for first = 2, #ARGV, 500 do
  local members = {}
  for i = first, math.min(first + 499, #ARGV) do
    members[#members + 1] = at
    members[#members + 1] = ARGV[i]
  end
  added = added + redis.call('ZADD', KEYS[1], unpack(members))
end
return added
`;
