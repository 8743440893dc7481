import { PRELUDE } from './prelude.js';

/**
 * `LedgerState.sent`.
 *
 * KEYS: the run's hash.
 * ARGV: node and turn of each turn that has a message now.
 */
export const SENT = `${PRELUDE}${String.raw`
for i = 1, #ARGV, 2 do
  local found = turn(ARGV[i], ARGV[i + 1])
  if found and found.unsent then
    found.unsent = false
    putTurn(ARGV[i], ARGV[i + 1], found)
    add('j', -1)
  end
end
store()
`}`;
