import { QUEUED_RETRY_MS } from '../../../core/ledger-state.js';
import { PRELUDE } from './prelude.js';

/**
 * `LedgerState.claim`.
 *
 * KEYS: the run's hash.
 * ARGV: node, turn, worker, lease in ms, floor, token to take over ('' for none), mode, 1 if there is a message.
 * Answers: granted, token, passes, claims, origin, retries · settled, token, passes, origin · awaiting ·
 * busy, worker, token, retry in ms · closed, status · unknown, incarnation · missing.
 * Passes are one text, origin and retries are the texts of the fields or null.
 */
export const CLAIM = `${PRELUDE}${String.raw`
local node, name, worker, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[7]
load('i', 'x', 't', 'z', 'j', field('s', node, name), field('v', node, name))
if not get('i') then return {'missing'} end
if get('x') then return {'closed', get('x')} end
local found = turn(node, name)
if not found then return {'unknown', get('i')} end
local origin = originOf(node, name)
if found.state == 'D' then return {'settled', number(found.token), found.passes, origin} end
if found.state == 'W' and mode ~= 'resume' then return {'awaiting'} end
if found.state == 'Q' then return {'busy', NOBODY, '0', '${QUEUED_RETRY_MS}'} end
local at = now()
local mine = found.worker == worker or found.expires <= at
if mode == 'resume' and found.state ~= 'W' and not (found.state == 'C' and mine) then
  return {'busy', found.worker, number(found.token), '0'}
end
if found.state == 'C' and found.expires > at and found.worker ~= worker and number(found.token) ~= ARGV[6] then
  if not (found.worker == NOBODY and mode == 'again') then
    return {'busy', found.worker, number(found.token), number(math.ceil((found.expires - at) / 1000))}
  end
end
if found.state == 'W' then
  add('w', -1)
  add('o', 1)
end
local isUnsent = found.unsent and ARGV[8] ~= '1'
if found.unsent and not isUnsent then add('j', -1) end
local token = nextToken(at, math.max(tonumber(ARGV[5]), found.token))
local claims = found.claims + 1
putTurn(node, name, {
  state = 'C', passes = found.passes, token = token, worker = worker, expires = at + ARGV[4] * 1000, claims = claims,
  round = found.round, unsent = isUnsent, made = found.made,
})
store()
return {'granted', number(token), found.passes, number(claims), origin, get('z')}
`}`;
