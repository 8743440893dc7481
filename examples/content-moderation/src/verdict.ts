import type { ReviewAnswer } from './checks/stand-in-reviewer.js';
import type { Triage } from './checks/triage.js';

/** What becomes of a text. */
export interface Verdict {
  readonly verdict: 'approved' | 'redacted' | 'rejected';
  /** What may be shown; absent for a rejected text. */
  readonly text?: string;
  readonly language: string;
  readonly reasons: readonly string[];
  /** `rules`, or the name of the reviewer. */
  readonly decidedBy: string;
}

/** The context of a run, as far as the application reads it. Keys are node ids. */
export interface ModerationContext {
  readonly text: string;
  readonly triage?: Triage;
  readonly human_review?: ReviewAnswer;
  readonly verdict?: Verdict;
}
