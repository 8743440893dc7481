import { Injectable } from '@nestjs/common';
import type { NodeContext, NodeResult } from 'flowcraft';
import { FlowNode, type FlowNodeHandler, type TurnInfo } from 'nestjs-flowcraft-kafka';
import type { Verdict } from '../verdict.js';
import { VerdictLog } from '../verdict-log.js';

/** The side effect of the pipeline. It may be executed twice, so the log is told the idempotency key. */
@Injectable()
@FlowNode('record-verdict')
export class RecordVerdictNode implements FlowNodeHandler {
  constructor(private readonly log: VerdictLog) {}

  async execute({ input, dependencies }: NodeContext): Promise<NodeResult> {
    const { idempotencyKey } = dependencies['turn'] as TurnInfo;
    await this.log.record(idempotencyKey, input as Verdict);
    return { output: input as Verdict };
  }
}
