import { ADVANCE } from './advance.js';
import { PRELUDE } from './prelude.js';
import { STRAIGHT } from './straight.js';

/**
 * `LedgerState.settle`. Its time grows with the edges of the node, not with the run.
 *
 * KEYS: the run's hash.
 * ARGV: settlement as JSON (each `entry` with the name of its `arrival`, which takes a digest), token, worker, lease
 * in ms, number of targets to claim, most turns of a run, time to live of the hash in ms; then node, node after it and need
 * for `straight` if the settlement is of that kind, else a node ''.
 * Answers what `straight` does, or: missing · closed, status · lost · expired ·
 * accepted, open, awaiting, failed, rescued, highest token, node of too many turns or null, unsent, turns, and for
 * each fired turn:
 * node, turn, passes, token or null, origin or null.
 */
export const SETTLE = `${STRAIGHT}
if ARGV[8] ~= '' then
  local told = straight(KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10])
  if told then return told end
end
${PRELUDE}${String.raw`
local settlement = cjson.decode(ARGV[1])
local token, worker, leaseMs = ARGV[2], ARGV[3], tonumber(ARGV[4])
local claimsLeft, maxTurns = tonumber(ARGV[5]), tonumber(ARGV[6])
local at = now()
`}${ADVANCE}${String.raw`
local needed = {'i', 'x', 't', 'o', 'w', 'q', 'e', 'y', 'j', 'p'}
needed[11] = field('s', settlement.node, settlement.turn)
needed[12] = field('h', settlement.node, settlement.turn)
-- in one call what most targets need: their first turn, and how many added nodes they wait for
for i = 1, math.min(#settlement.targets, 50) do
  local target = settlement.targets[i]
  if #target.passes == 0 then
    needed[#needed + 1] = field('s', target.node, '1')
    needed[#needed + 1] = field('m', target.node)
  end
end
load(unpack(needed))
if not get('i') then return {'missing'} end
if get('x') then return {'closed', get('x')} end
local found = turn(settlement.node, settlement.turn)
local awaits = settlement.outcome == 'awaiting'
local settledAs = awaits and 'W' or 'D'
local ended = false
local same = found and number(found.token) == token
isUnsent = found and (awaits or found.unsent)
if found and (found.state == 'D' or (found.state == 'W' and awaits)) then
  if not same or found.state ~= settledAs then return {'lost'} end
else
  local claimed = found and found.state == 'C'
  if claimed and not same and found.expires > at and found.worker ~= NOBODY then return {'lost'} end
  if not claimed or not same or found.expires <= at then return {'expired'} end
  found.state, found.worker, found.expires = settledAs, '', 0
  if found.unsent and not awaits then
    found.unsent = false
    add('j', -1)
  end
  putTurn(settlement.node, settlement.turn, found)
  add('o', -1)
  if awaits then add('w', 1) end
  if settlement.outcome == 'failed' then set('e', settlement.endsRun and '2' or get('e') or '1') end
  if settlement.outcome == 'rescued' then set('y', '1') end
  ended, isFirst = not awaits, true
end
round = (found.round or 0) + (settlement.pauses and PAUSE_ROUNDS or 0)
if settlement.rescuedPasses then
  local mark = field('b', settlement.node, table.concat(resolve(settlement.rescuedPasses), PASS_SEP))
  local before = get(mark)
  if not before or tonumber(before) > round then set(mark, number(round)) end
end
releaseQueued()
for _, id in ipairs(settlement.dynamic) do addDynamic(id, found.passes) end
beginBatch(found.passes)
endItem(found, isFirst)
for _, target in ipairs(settlement.targets) do tell(target) end
local late = settlement.late
if late then
  local rescuer = turn(late.rescuer, turnOfPasses(resolve(late.passes)))
  if rescuer and rescuer.state == 'D' then
    for _, target in ipairs(late.targets) do tell(target, true) end
  end
end
if ended then leave(found.passes) end
for _, join in ipairs(settlement.settling or {}) do review(join) end
store()
redis.call('PEXPIRE', hash, ARGV[7])
local answer = {'accepted', get('o') or '0', get('w') or '0', get('e'), get('y'), get('t') or '0', get('p'), get('j') or '0', get('q') or '0'}
for i = 1, #fired do answer[9 + i] = fired[i] end
return answer
`}`;
