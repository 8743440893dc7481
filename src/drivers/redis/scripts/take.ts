/**
 * Takes timers of a shard that are due, by the clock of the server, and puts them off so that nobody else takes them
 * meanwhile.
 *
 * KEYS: the sorted set of the shard, until when it is known to be complete.
 * ARGV: most timers to take, for how many milliseconds they are put off.
 * Answers: the time in milliseconds, the time of the next one or null, until when the shard is known or null, and the
 * timers.
 */
export const TAKE = String.raw`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
local later = string.format('%.0f', now + ARGV[2])
for _, timer in ipairs(due) do redis.call('ZADD', KEYS[1], 'XX', later, timer) end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local answer = {string.format('%.0f', now), first[2] or false, redis.call('GET', KEYS[2])}
for i = 1, #due do answer[3 + i] = due[i] end
return answer
`;
