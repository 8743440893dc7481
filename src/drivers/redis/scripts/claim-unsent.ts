import { PRELUDE } from './prelude.js';

/**
 * `LedgerState.claimUnsent`.
 *
 * KEYS: the run's hash.
 * ARGV: worker, lease in ms, how many to claim, then node and turn of each.
 * Answers what `settle` answers for fired turns: node, turn, passes, token or null, null. Null: there is no state.
 */
export const CLAIM_UNSENT = `${PRELUDE}${String.raw`
load('i', 'x', 't')
if not get('i') then return false end
if get('x') then return {} end
local worker, leaseMs, left = ARGV[1], ARGV[2], tonumber(ARGV[3])
local at = now()
for from = 4, #ARGV, 1000 do
  local names = {}
  for i = from, math.min(from + 999, #ARGV), 2 do names[#names + 1] = field('s', ARGV[i], ARGV[i + 1]) end
  load(unpack(names))
end
local answer = {}
for i = 4, #ARGV, 2 do
  local found = turn(ARGV[i], ARGV[i + 1])
  if found and found.unsent then
    local token = false
    if found.state == 'R' and left > 0 then
      left = left - 1
      token = nextToken(at, found.token)
      found.state, found.token, found.worker = 'C', token, worker
      found.expires, found.claims = at + leaseMs * 1000, found.claims + 1
      putTurn(ARGV[i], ARGV[i + 1], found)
    end
    for _, part in ipairs({ARGV[i], ARGV[i + 1], found.passes}) do answer[#answer + 1] = part end
    answer[#answer + 1] = token and number(token)
    answer[#answer + 1] = false
  end
end
store()
return answer
`}`;
