import { Injectable } from '@nestjs/common';
import type { NodeContext, NodeResult } from 'flowcraft';
import { FlowNode } from 'nestjs-flowcraft-kafka';
import { checkAbuse } from '../checks/abuse.js';
import type { NormalisedText } from '../checks/normalise.js';
import { findPii } from '../checks/pii.js';
import { checkSpam } from '../checks/spam.js';
import { checkStyle } from '../checks/style.js';
import { ModelStandIn } from '../model-stand-in.js';

/** The four checks, which run beside each other. One provider may implement several node types. */
@Injectable()
export class CheckNodes {
  constructor(private readonly model: ModelStandIn) {}

  @FlowNode('check-pii')
  async pii(ctx: NodeContext): Promise<NodeResult> {
    return { output: await this.model.ask(ctx, ({ text }) => findPii(text)) };
  }

  @FlowNode('check-abuse')
  async abuse(ctx: NodeContext): Promise<NodeResult> {
    return { output: await this.model.ask(ctx, ({ folded }) => checkAbuse(folded)) };
  }

  @FlowNode('check-spam')
  async spam(ctx: NodeContext): Promise<NodeResult> {
    return { output: await this.model.ask(ctx, ({ text, folded }) => checkSpam(text, folded)) };
  }

  @FlowNode('check-style')
  async style(ctx: NodeContext): Promise<NodeResult> {
    return { output: await this.model.ask(ctx, ({ text }: NormalisedText) => checkStyle(text)) };
  }
}
