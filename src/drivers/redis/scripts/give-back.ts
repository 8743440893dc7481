import { PRELUDE } from './prelude.js';

/**
 * `LedgerState.giveBack`.
 *
 * KEYS: the run's hash.
 * ARGV: node, turn and token of each claim that is given up.
 */
export const GIVE_BACK = `${PRELUDE}${String.raw`
if get('x') then return end
for i = 1, #ARGV, 3 do
  local found = turn(ARGV[i], ARGV[i + 1])
  if found and found.state == 'C' and number(found.token) == ARGV[i + 2] then
    found.state, found.token, found.worker, found.expires, found.claims = 'R', 0, '', 0, found.claims - 1
    putTurn(ARGV[i], ARGV[i + 1], found)
  end
end
store()
`}`;
