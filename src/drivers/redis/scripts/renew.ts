import { PRELUDE } from './prelude.js';

/**
 * `LedgerState.renew`. A long turn may outlast the time to live of its run's hash, so that is renewed as well.
 *
 * KEYS: the run's hash.
 * ARGV: node, turn, worker, token, lease in ms, time to live of the hash in ms.
 * Answers: held · lost · missing.
 */
export const RENEW = `${PRELUDE}${String.raw`
local node, name = ARGV[1], ARGV[2]
load('i', 'x', field('s', node, name))
if not get('i') then return 'missing' end
local found = turn(node, name)
if get('x') or not found then return 'lost' end
if found.state == 'D' then return number(found.token) == ARGV[4] and 'held' or 'lost' end
if found.state ~= 'C' then return 'lost' end
local placeholder = found.worker == NOBODY
if not placeholder and (number(found.token) ~= ARGV[4] or found.worker ~= ARGV[3]) then return 'lost' end
local at = now()
if placeholder or found.expires > at then
  found.expires = at + ARGV[5] * 1000
  putTurn(node, name, found)
  store()
  redis.call('PEXPIRE', hash, ARGV[6])
end
return 'held'
`}`;
