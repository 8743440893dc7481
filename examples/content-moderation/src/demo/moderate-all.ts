import { ErrorCode, FlowcraftKafkaError } from 'nestjs-flowcraft-kafka';
import { standInReview, type ReviewAnswer } from '../checks/stand-in-reviewer.js';
import type { ModerationsService } from '../moderations.service.js';
import type { Moderated } from './summary.js';
import type { SampleText } from './texts.js';

/** Thousands at once take their time on a small machine. */
const TIMEOUT_MS = 300_000;
const TRIES = 5;

export interface ModerateAllOptions {
  /** Texts on their way at a time. */
  readonly window: number;
  /** Goes before each id, so that the demo can run again on the same servers. */
  readonly prefix: string;
  readonly onProgress: (done: readonly Moderated[]) => void;
}

/** Sends every text through the pipeline, and answers the reviews. */
export async function moderateAll(
  moderations: ModerationsService,
  texts: readonly SampleText[],
  { window, prefix, onProgress }: ModerateAllOptions,
): Promise<Moderated[]> {
  const done: Moderated[] = [];
  const left = texts.values();
  const lane = async () => {
    for (const text of left) {
      done.push(await moderate(moderations, text, prefix));
      onProgress(done);
    }
  };
  await Promise.all(Array.from({ length: window }, lane));
  return done;
}

async function moderate(moderations: ModerationsService, sample: SampleText, prefix: string): Promise<Moderated> {
  const started = performance.now();
  const id = await patiently(() => moderations.submit({ ...sample, id: `${prefix}-${sample.id}` }));
  let { status, reason } = await patiently(() => moderations.settled(id, TIMEOUT_MS));
  const reviewed = status === 'awaiting';
  if (reviewed) {
    const { review } = await patiently(() => moderations.state(id));
    if (review === undefined) throw new Error(`${id} awaits a review, but has no triage.`);
    await answer(moderations, id, standInReview(review));
    ({ status, reason } = await patiently(() => moderations.settled(id, TIMEOUT_MS)));
  }
  const { verdict } = await patiently(() => moderations.state(id));
  if (verdict === undefined) throw new Error(`${id} has no verdict: ${status} ${reason ?? ''}`);
  return { id: sample.id, channel: sample.channel, verdict, reviewed, ms: performance.now() - started };
}

/** Repeats a call that busy servers did not answer in time, which its error says is safe. */
async function patiently<T>(call: (isRepeated: boolean) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call(tries > 1);
    } catch (error) {
      if (!(error instanceof FlowcraftKafkaError) || !error.retryable || tries === TRIES) throw error;
    }
  }
}

/** An answer that was given before, though nobody heard so, is refused when it is repeated. */
async function answer(moderations: ModerationsService, id: string, given: ReviewAnswer): Promise<void> {
  await patiently(async (isRepeated) => {
    try {
      await moderations.review(id, given);
    } catch (error) {
      const isAnswered = error instanceof FlowcraftKafkaError && error.code === ErrorCode.NodeNotAwaiting;
      if (!isRepeated || !isAnswered) throw error;
    }
  });
}
