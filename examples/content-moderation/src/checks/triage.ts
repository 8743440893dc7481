import type { AbuseReport } from './abuse.js';
import type { PiiFinding } from './pii.js';
import type { SpamReport } from './spam.js';
import type { StyleReport } from './style.js';

/** What happens next; each is the action of an edge of the blueprint. */
export type Decision = 'approve' | 'redact' | 'reject' | 'review';

export interface Reports {
  readonly pii: readonly PiiFinding[];
  readonly abuse: AbuseReport;
  readonly spam: SpamReport;
  readonly style: StyleReport;
}

export interface Triage {
  readonly decision: Decision;
  /** 0 (harmless) to 1. */
  readonly risk: number;
  readonly reasons: readonly string[];
}

const REJECT_FROM = 0.75;
const REVIEW_FROM = 0.35;

/** Clear cases are decided here; a person decides the rest. */
export function triage({ pii, abuse, spam, style }: Reports): Triage {
  const reasons = [
    ...(abuse.score >= REVIEW_FROM ? [`abuse ${abuse.score}: ${abuse.terms.join(', ')}`] : []),
    ...(spam.score >= REVIEW_FROM
      ? [`spam ${spam.score}: ${[...spam.signals, `${spam.links} link(s)`].join(', ')}`]
      : []),
    ...(style.shouting && abuse.score > 0 ? ['shouting'] : []),
    ...(style.noise ? ['noise'] : []),
    ...(pii.length > 0 ? [`personal data: ${[...new Set(pii.map((f) => f.kind))].join(', ')}`] : []),
  ];
  const risk = Math.max(
    abuse.score,
    spam.score,
    style.noise ? REVIEW_FROM : 0,
    style.shouting && abuse.score > 0 ? REVIEW_FROM : 0,
  );
  const decision =
    risk >= REJECT_FROM ? 'reject' : risk >= REVIEW_FROM ? 'review' : pii.length > 0 ? 'redact' : 'approve';
  return { decision, risk, reasons };
}
