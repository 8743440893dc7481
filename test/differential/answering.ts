import type { RunDescription } from '../../src/index.js';
import type { FuzzCase } from './fuzz-case.js';

/** What answering needs of a client. */
export interface Answerable {
  describe(runId: string): Promise<Pick<RunDescription, 'blueprintId' | 'awaiting'>>;
  resume(runId: string, nodeId: string, answer: Answer): Promise<void>;
}

export interface Answer {
  readonly output: unknown;
  readonly action?: string;
}

export interface Waiting {
  readonly runId: string;
  readonly blueprintId: string;
  readonly nodeId: string;
}

/** All waits of a run and of the subflows in it that nobody has answered yet. */
export async function waitingIn(client: Answerable, runId: string): Promise<Waiting[]> {
  const { blueprintId, awaiting } = await client.describe(runId);
  const found: Waiting[] = [];
  for (const { nodeId, ...details } of awaiting) {
    const { childRunId } = details as { childRunId?: string };
    if (childRunId === undefined) found.push({ runId, blueprintId, nodeId });
    else found.push(...(await waitingIn(client, childRunId)));
  }
  return found;
}

/** Gives the answer that the workflow has for this wait. */
export async function answer(
  client: Answerable,
  kase: FuzzCase,
  { runId, blueprintId, nodeId }: Waiting,
): Promise<void> {
  const blueprint = Object.values(kase.blueprints).find((b) => b.id === blueprintId);
  await client.resume(runId, nodeId, blueprint?.nodes.find((n) => n.id === nodeId)?.params?.['answer'] as Answer);
}
