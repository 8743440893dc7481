/**
 * Gives the right to rebuild a run. An owner that asks again gets a new lock: its first answer may have been lost. The
 * time in a lock makes each of them different.
 *
 * KEYS: the run's hash, the run's lock.
 * ARGV: owner, time to live in ms, 1 if a state with the incarnation that follows is to be dropped, that incarnation.
 * Answers: locked, lock, time in microseconds · exists · wait.
 */
export const LOCK = String.raw`
local incarnation = redis.call('HGET', KEYS[1], 'i')
if incarnation and not (ARGV[3] == '1' and incarnation == ARGV[4]) then return {'exists'} end
local time = redis.call('TIME')
local at = time[1] * 1000000 + time[2]
local held = redis.call('GET', KEYS[2])
if held then
  local since, owner = string.match(held, '^(%d+)|(.*)$')
  if owner ~= ARGV[1] then return {'wait'} end
  at = math.max(at, since + 1)
end
redis.call('DEL', KEYS[1])
local now = string.format('%.0f', at)
redis.call('SET', KEYS[2], now .. '|' .. ARGV[1], 'PX', ARGV[2])
return {'locked', now .. '|' .. ARGV[1], now}
`;
