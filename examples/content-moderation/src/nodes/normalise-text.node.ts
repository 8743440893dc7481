import { Injectable } from '@nestjs/common';
import type { NodeContext, NodeResult } from 'flowcraft';
import { FlowNode, type FlowNodeHandler } from 'nestjs-flowcraft-kafka';
import { normalise } from '../checks/normalise.js';

@Injectable()
@FlowNode('normalise-text')
export class NormaliseTextNode implements FlowNodeHandler {
  async execute({ input }: NodeContext): Promise<NodeResult> {
    return { output: normalise(String(input)) };
  }
}
