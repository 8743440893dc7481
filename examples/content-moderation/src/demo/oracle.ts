import { isDeepStrictEqual } from 'node:util';
import { FlowRuntime, type NodeContext, type NodeResult, type WorkflowBlueprint } from 'flowcraft';
import type { NormalisedText } from '../checks/normalise.js';
import { standInReview } from '../checks/stand-in-reviewer.js';
import type { Triage } from '../checks/triage.js';
import { ModelStandIn } from '../model-stand-in.js';
import { moderationBlueprint, REVIEW_NODE } from '../moderation.blueprint.js';
import { CheckNodes } from '../nodes/check.nodes.js';
import { NormaliseTextNode } from '../nodes/normalise-text.node.js';
import { OutcomeNodes } from '../nodes/outcome.nodes.js';
import { TriageNode } from '../nodes/triage.node.js';
import type { Verdict } from '../verdict.js';
import type { Moderated } from './summary.js';
import type { SampleText } from './texts.js';

class InstantModel extends ModelStandIn {
  override async ask<T>({ input }: NodeContext, rule: (text: NormalisedText) => T): Promise<T> {
    return rule(input as NormalisedText);
  }
}

/**
 * The blueprint as flowcraft's in-process runtime can run it to its end: the reviewer is a node. (That runtime's
 * `resume()` drops the action of the answer in flowcraft 2.10.1, so it could not follow it.)
 */
const inProcess: WorkflowBlueprint = {
  ...moderationBlueprint,
  nodes: moderationBlueprint.nodes.map((node) =>
    node.id === REVIEW_NODE ? { ...node, uses: 'stand-in-review', inputs: 'triage' } : node,
  ),
};

/** flowcraft's own runtime, over the same nodes. */
export class Oracle {
  private readonly runtime: FlowRuntime<Record<string, unknown>, Record<string, unknown>>;

  constructor() {
    const checks = new CheckNodes(new InstantModel());
    const outcomes = new OutcomeNodes();
    this.runtime = new FlowRuntime({
      registry: {
        'normalise-text': async (ctx: NodeContext) => new NormaliseTextNode().execute(ctx),
        'check-pii': async (ctx: NodeContext) => checks.pii(ctx),
        'check-abuse': async (ctx: NodeContext) => checks.abuse(ctx),
        'check-spam': async (ctx: NodeContext) => checks.spam(ctx),
        'check-style': async (ctx: NodeContext) => checks.style(ctx),
        triage: async (ctx: NodeContext) => new TriageNode().execute(ctx),
        'stand-in-review': async ({ input }: NodeContext): Promise<NodeResult> => {
          const output = standInReview(input as Triage);
          return { output, action: output.action };
        },
        'accept-text': async (ctx: NodeContext) => outcomes.accept(ctx),
        'redact-text': async (ctx: NodeContext) => outcomes.redact(ctx),
        'decline-text': async (ctx: NodeContext) => outcomes.decline(ctx),
        'record-verdict': async ({ input }: NodeContext): Promise<NodeResult> => ({ output: input as Verdict }),
      },
    });
  }

  async verdict({ text }: SampleText): Promise<Verdict | undefined> {
    const { context } = await this.runtime.run(inProcess, { text });
    return context['verdict'] as Verdict | undefined;
  }

  /** A line for each text whose verdict differs. */
  async mismatches(texts: readonly SampleText[], results: readonly Moderated[]): Promise<string[]> {
    const lines: string[] = [];
    for (const text of texts) {
      const expected = await this.verdict(text);
      const actual = results.find((result) => result.id === text.id)?.verdict;
      if (!isDeepStrictEqual(actual, expected))
        lines.push(`${text.id}: ${JSON.stringify(actual)}, in-process ${JSON.stringify(expected)}`);
    }
    return lines;
  }
}
