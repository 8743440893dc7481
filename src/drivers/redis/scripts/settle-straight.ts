import { STRAIGHT } from './straight.js';

/**
 * Settles of several runs, each in the way of `straight`. In a cluster the runs may lie on several servers, so there it
 * cannot be used.
 *
 * KEYS: the hash of each run.
 * ARGV: worker, lease in ms, most turns of a run, time to live of the hashes in ms; then for each run token, number of
 * targets to claim, node, and the node after it or ''.
 * Answers for each run what `straight` answers, or null: it has to be settled by itself, and nothing was changed.
 */
export const SETTLE_STRAIGHT = `${STRAIGHT}${String.raw`
local worker, leaseMs, maxTurns, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local answers = {}
for i = 1, #KEYS do
  local at = 4 * i
  local token, claim, node, after = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  answers[i] = straight(KEYS[i], token, worker, leaseMs, claim, maxTurns, ttl, node, after, '') or false
end
return answers
`}`;
