import { Injectable } from '@nestjs/common';
import type { NodeContext, NodeResult } from 'flowcraft';
import { FlowNode } from 'nestjs-flowcraft-kafka';
import type { NormalisedText } from '../checks/normalise.js';
import { maskPii, type PiiFinding } from '../checks/pii.js';
import type { ReviewAnswer } from '../checks/stand-in-reviewer.js';
import type { StyleReport } from '../checks/style.js';
import type { Triage } from '../checks/triage.js';
import type { Verdict } from '../verdict.js';

interface OutcomeInput {
  readonly normalised: NormalisedText;
  readonly pii: readonly PiiFinding[];
  readonly style: StyleReport;
  readonly triage: Triage;
  /** Only if somebody was asked. */
  readonly review?: ReviewAnswer;
}

/** The ends of the branches: each makes the verdict out of what is known. */
@Injectable()
export class OutcomeNodes {
  @FlowNode('accept-text')
  async accept({ input }: NodeContext): Promise<NodeResult<Verdict>> {
    return { output: verdictOf('approved', input as OutcomeInput) };
  }

  @FlowNode('redact-text')
  async redact({ input }: NodeContext): Promise<NodeResult<Verdict>> {
    return { output: verdictOf('redacted', input as OutcomeInput) };
  }

  @FlowNode('decline-text')
  async decline({ input }: NodeContext): Promise<NodeResult<Verdict>> {
    return { output: verdictOf('rejected', input as OutcomeInput) };
  }
}

function verdictOf(verdict: Verdict['verdict'], { normalised, pii, style, triage, review }: OutcomeInput): Verdict {
  return {
    verdict,
    ...(verdict === 'rejected' ? {} : { text: maskPii(normalised.text, pii) }),
    language: style.language,
    reasons: triage.reasons,
    decidedBy: review?.reviewer ?? 'rules',
  };
}
