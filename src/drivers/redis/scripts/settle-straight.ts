import { STRAIGHT } from './straight.js';

/**
 * Settles of several runs, each in the way of `straight`. In a cluster the runs may lie on several servers, so there it
 * cannot be used.
 *
 * KEYS: the hash of each run.
 * ARGV: worker, lease in ms, most turns of a run, time to live of the hashes in ms; then for each run token, number of
 * targets to claim, node, and the node after it or ''.
 * Answers for each run what `settle` answers, or null: it has to be settled by itself, and nothing was changed.
 */
export const SETTLE_STRAIGHT = String.raw`
local function straight(KEYS, ARGV)
${STRAIGHT}
return false
end

local answers = {}
for i = 1, #KEYS do
  local at = 4 * i
  answers[i] = straight(
    {KEYS[i]},
    {'', ARGV[at + 1], ARGV[1], ARGV[2], ARGV[at + 2], ARGV[3], ARGV[4], ARGV[at + 3], ARGV[at + 4], ''}
  )
end
return answers
`;
