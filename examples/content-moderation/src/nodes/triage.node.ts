import { Injectable } from '@nestjs/common';
import type { NodeContext, NodeResult } from 'flowcraft';
import { FlowNode, type FlowNodeHandler } from 'nestjs-flowcraft-kafka';
import { triage, type Reports } from '../checks/triage.js';

/** Joins the four checks. The action chooses the branch: approve, redact, reject or review. */
@Injectable()
@FlowNode('triage')
export class TriageNode implements FlowNodeHandler {
  async execute({ input }: NodeContext): Promise<NodeResult> {
    const output = triage(input as Reports);
    return { output, action: output.decision };
  }
}
