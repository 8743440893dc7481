import type { WorkflowBlueprint } from 'flowcraft';

export const MODERATION = 'content-moderation';
export const REVIEW_NODE = 'human_review';

/**
 *                 ┌─ pii ───┐
 *                 ├─ abuse ─┤            approve ┌─ accept ──┐
 *  normalised ────┤         ├─ triage ────────── ┼─ redact ──┼─ verdict
 *                 ├─ spam ──┤    │      reject  └─ decline ─┘
 *                 └─ style ─┘    └─ review ─ human_review ─ approve | reject ─ accept | decline
 *
 * `triage` runs when all four checks have; `accept`, `decline` and `verdict` run when any predecessor leads to them.
 */
export const moderationBlueprint: WorkflowBlueprint = {
  id: MODERATION,
  metadata: { version: '1' },
  nodes: [
    { id: 'normalised', uses: 'normalise-text', inputs: 'text' },
    { id: 'pii', uses: 'check-pii', inputs: 'normalised', config: { maxRetries: 2 } },
    { id: 'abuse', uses: 'check-abuse', inputs: 'normalised', config: { maxRetries: 2 } },
    { id: 'spam', uses: 'check-spam', inputs: 'normalised', config: { maxRetries: 2 } },
    { id: 'style', uses: 'check-style', inputs: 'normalised', config: { maxRetries: 2 } },
    { id: 'triage', uses: 'triage', inputs: { pii: 'pii', abuse: 'abuse', spam: 'spam', style: 'style' } },
    { id: REVIEW_NODE, uses: 'wait' },
    { id: 'accept', uses: 'accept-text', inputs: outcomeInputs(), config: { joinStrategy: 'any' } },
    { id: 'redact', uses: 'redact-text', inputs: outcomeInputs() },
    { id: 'decline', uses: 'decline-text', inputs: outcomeInputs(), config: { joinStrategy: 'any' } },
    { id: 'verdict', uses: 'record-verdict', config: { joinStrategy: 'any' } },
  ],
  edges: [
    ...['pii', 'abuse', 'spam', 'style'].flatMap((check) => [
      { source: 'normalised', target: check },
      { source: check, target: 'triage' },
    ]),
    { source: 'triage', target: 'accept', action: 'approve' },
    { source: 'triage', target: 'redact', action: 'redact' },
    { source: 'triage', target: 'decline', action: 'reject' },
    { source: 'triage', target: REVIEW_NODE, action: 'review' },
    { source: REVIEW_NODE, target: 'accept', action: 'approve' },
    { source: REVIEW_NODE, target: 'decline', action: 'reject' },
    ...['accept', 'redact', 'decline'].map((source) => ({ source, target: 'verdict' })),
  ],
};

/** `human_review` is undefined for texts that nobody had to look at. */
function outcomeInputs(): Record<string, string> {
  return { normalised: 'normalised', pii: 'pii', style: 'style', triage: 'triage', review: REVIEW_NODE };
}
