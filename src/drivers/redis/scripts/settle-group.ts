import { SETTLE } from './settle.js';

/**
 * Several settles of one run that arrive at the same join in the same moment: what they have in common is read and
 * written once. All but the last go the way of `straight`; one that can't, and the last, are left to `settle`.
 *
 * KEYS: the run's hash.
 * ARGV: what `settle` takes for the last of them, which arrives at a join; then node and token of each of the others.
 * Answers: what `settle` answers to the others, once for all that were done here; a text with 1 for each that was done
 * and 0 for each that was not; what `settle` answers to the last.
 */
export const SETTLE_GROUP = String.raw`
local function settle()
${SETTLE}
end

local after, need = ARGV[9], tonumber(ARGV[10])
local names = {
  'i', 'x', 't', 'o', 'w', 'q', 'e', 'y', 'j', 'p', 's\31' .. after .. '\0311', 'm\31' .. after,
  'n\31' .. after .. '\31\31', 'r\31' .. after .. '\31', 'k\31' .. after .. '\31',
}
local head = #names
for i = 11, #ARGV, 2 do
  names[#names + 1] = 's\31' .. ARGV[i] .. '\0311'
  names[#names + 1] = 'h\31' .. ARGV[i] .. '\0311'
  names[#names + 1] = 'a\31' .. after .. '\31' .. ARGV[i] .. '\31'
end
local held = redis.call('HMGET', KEYS[1], unpack(names))
local time = redis.call('TIME')
local at = time[1] * 1000000 + time[2]
local open, pending, arrivals = tonumber(held[4] or '0'), tonumber(held[9] or '0'), tonumber(held[13] or '0')
local isFree = held[1] and not held[2] and not held[11] and not held[12]
local latest, done, flags, changes = -1, {}, {}, {}
for i = 11, #ARGV, 2 do
  local node = ARGV[i]
  local own = head + 1 + (i - 11) / 2 * 3
  local state, passes, token, expires, claims, round, unsent = string.match(
    held[own] or '',
    '^([^\31]*)\31([^\31]*)\31([^\31]*)\31[^\31]*\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)$'
  )
  local isHeld = state == 'C' and passes == '' and token == ARGV[i + 1] and tonumber(expires) > at
  local isNew = not done[node] and not held[own + 1] and not held[own + 2]
  local does = isFree and isHeld and isNew and arrivals + 1 < need
  flags[#flags + 1] = does and '1' or '0'
  if does then
    done[node] = true
    open, arrivals, latest = open - 1, arrivals + 1, math.max(latest, tonumber(round))
    if unsent == '1' then pending = pending - 1 end
    changes[#changes + 1] = names[own]
    changes[#changes + 1] = table.concat({'D', '', token, '', '0', claims, round, ''}, '\31')
    changes[#changes + 1] = names[own + 2]
    changes[#changes + 1] = '1'
  end
end
open, pending = string.format('%.0f', open), string.format('%.0f', pending)
if #changes > 0 then
  for i = 14, 15 do
    if not held[i] or tonumber(held[i]) < latest then
      changes[#changes + 1] = names[i]
      changes[#changes + 1] = string.format('%.0f', latest)
    end
  end
  redis.call('HSET', KEYS[1], 'o', open, 'j', pending, names[13], string.format('%.0f', arrivals), unpack(changes))
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
end
local answer = {'accepted', open, held[5] or '0', held[7], held[8], held[3] or '0', held[10], pending, held[6] or '0'}
return {answer, table.concat(flags), settle()}
`;
