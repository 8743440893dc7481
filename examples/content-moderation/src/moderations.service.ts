import { Injectable } from '@nestjs/common';
import { FlowcraftClient, type RunOutcome } from 'nestjs-flowcraft-kafka';
import type { ReviewAnswer } from './checks/stand-in-reviewer.js';
import type { Triage } from './checks/triage.js';
import { MODERATION, REVIEW_NODE } from './moderation.blueprint.js';
import type { ModerationContext, Verdict } from './verdict.js';

export interface Submission {
  readonly text: string;
  readonly channel?: string;
  /** Makes a repeated request harmless: the same id with the same text is the same run. */
  readonly id?: string;
}

export interface ModerationState {
  readonly id: string;
  readonly status: 'running' | 'awaiting' | 'completed' | 'failed' | 'cancelled';
  readonly verdict?: Verdict;
  /** What a reviewer has to decide on, while the text awaits one. */
  readonly review?: Triage & { readonly text: string };
  readonly reason?: string;
}

@Injectable()
export class ModerationsService {
  constructor(private readonly flowcraft: FlowcraftClient) {}

  /** Resolves when the run is durable; its id is the id of the moderation. */
  async submit({ text, channel, id }: Submission): Promise<string> {
    const options = {
      ...(id === undefined ? {} : { runId: id }),
      ...(channel === undefined ? {} : { tags: [channel] }),
    };
    const { runId } = await this.flowcraft.start(MODERATION, { text }, options);
    return runId;
  }

  async state(id: string): Promise<ModerationState> {
    const { status, reason } = await this.flowcraft.getRun(id);
    const { text, triage, verdict } = (await this.flowcraft.getContext(id)) as unknown as ModerationContext;
    return {
      id,
      status,
      ...(verdict === undefined ? {} : { verdict }),
      ...(status === 'awaiting' && triage !== undefined ? { review: { ...triage, text } } : {}),
      ...(reason === undefined ? {} : { reason }),
    };
  }

  /** Texts that a person has to look at, the latest first. */
  async queue(): Promise<string[]> {
    const { runs } = await this.flowcraft.listRuns({ blueprintId: MODERATION, status: 'awaiting' });
    return runs.map((run) => run.runId);
  }

  /** The action of the answer chooses the branch, the answer itself is the output of the review node. */
  async review(id: string, answer: ReviewAnswer): Promise<void> {
    await this.flowcraft.resume(id, { nodeId: REVIEW_NODE, action: answer.action, output: answer });
  }

  /** Returns when the text has its verdict, or awaits a reviewer. */
  async settled(id: string, timeoutMs: number): Promise<RunOutcome> {
    return this.flowcraft.waitForWorkflow(id, { until: 'settled', timeoutMs });
  }
}
