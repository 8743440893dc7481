/**
 * A part of the scripts `settle`, before all else, and `settle-straight`: for a turn that makes just the one node after it ready, or ends its
 * run, or arrives at a join that waits for others; first turns, no loop. Most settles are of this kind, and cost less
 * than half so of what the general way costs, which follows and does the same. Where the run's state is not as usual,
 * nothing is changed here, and the general way goes on.
 *
 * ARGV[8]: the node if its settlement is of this kind, else ''. ARGV[9]: the node after it, or ''. ARGV[10]: how many
 * predecessors that one waits for if it is a join, else ''.
 */
export const STRAIGHT = String.raw`
if ARGV[8] ~= '' then
  local node, after, need = ARGV[8], ARGV[9], tonumber(ARGV[10])
  local own, following = 's\31' .. node .. '\0311', 's\31' .. after .. '\0311'
  local held = redis.call(
    'HMGET', KEYS[1], 'i', 'x', 't', 'o', 'w', 'q', 'e', 'y', 'j', 'p',
    own, 'h\31' .. node .. '\0311', following, 'm\31' .. after
  )
  local state, passes, token, expires, claims, round, unsent = string.match(
    held[11] or '',
    '^([^\31]*)\31([^\31]*)\31([^\31]*)\31[^\31]*\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)$'
  )
  local time = redis.call('TIME')
  local at = time[1] * 1000000 + time[2]
  local turns = tonumber(held[6] or '0')
  local isHeld = state == 'C' and passes == '' and token == ARGV[2] and tonumber(expires) > at
  local isFree = after == '' or (not held[13] and not held[14] and turns < tonumber(ARGV[6]))
  -- of a join: the mark of this arrival, how many there were, and when the last one came and an edge was taken last
  local names, seen, arrivals
  if need then
    names = {'a\31' .. after .. '\31' .. node .. '\31', 'n\31' .. after .. '\31\31', 'r\31' .. after .. '\31', 'k\31' .. after .. '\31'}
    seen = redis.call('HMGET', KEYS[1], unpack(names))
    arrivals = tonumber(seen[2] or '0') + 1
    isFree = not seen[1] and arrivals < need
  end
  if held[1] and not held[2] and not held[12] and isHeld and isFree then
    local open, pending, last = tonumber(held[4] or '0') - 1, tonumber(held[9] or '0'), held[3] or '0'
    if unsent == '1' then pending = pending - 1 end
    local changes = {own, table.concat({'D', '', token, '', '0', claims, round, ''}, '\31')}
    local claimed = false
    if need then
      changes[3], changes[4], changes[5], changes[6] = names[1], '1', names[2], string.format('%.0f', arrivals)
      for i = 3, 4 do
        if not seen[i] or tonumber(seen[i]) < tonumber(round) then
          changes[#changes + 1] = names[i]
          changes[#changes + 1] = round
        end
      end
    elseif after ~= '' then
      local row
      local nextRound = string.format('%.0f', round + 1)
      open, turns = open + 1, turns + 1
      if tonumber(ARGV[5]) > 0 then
        claimed = string.format('%.0f', math.max(at, last + 1))
        last = claimed
        local untilMicros = string.format('%.0f', at + ARGV[4] * 1000)
        row, unsent = {'C', '', claimed, ARGV[3], untilMicros, '1', nextRound, '1'}, '1'
      else
        row = {'R', '', '0', '', '0', '0', nextRound, unsent}
      end
      if unsent == '1' then pending = pending + 1 end
      changes[3], changes[4] = following, table.concat(row, '\31')
      changes[5], changes[6] = 'q', string.format('%.0f', turns)
      changes[7], changes[8] = 't', last
    end
    open, pending = string.format('%.0f', open), string.format('%.0f', pending)
    redis.call('HSET', KEYS[1], 'o', open, 'j', pending, unpack(changes))
    redis.call('PEXPIRE', KEYS[1], ARGV[7])
    local answer = {'accepted', open, held[5] or '0', held[7], held[8], last, held[10], pending, string.format('%.0f', turns)}
    if after ~= '' and not need then
      answer[10], answer[11], answer[12], answer[13], answer[14] = after, '1', '', claimed, false
    end
    return answer
  end
end
`;
