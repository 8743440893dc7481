import { standInReview } from '../checks/stand-in-reviewer.js';
import type { ModerationsService } from '../moderations.service.js';
import type { Moderated } from './summary.js';
import type { SampleText } from './texts.js';

const TIMEOUT_MS = 60_000;

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
  const id = await moderations.submit({ ...sample, id: `${prefix}-${sample.id}` });
  let { status, reason } = await moderations.settled(id, TIMEOUT_MS);
  const reviewed = status === 'awaiting';
  if (reviewed) {
    const { review } = await moderations.state(id);
    if (review === undefined) throw new Error(`${id} awaits a review, but has no triage.`);
    await moderations.review(id, standInReview(review));
    ({ status, reason } = await moderations.settled(id, TIMEOUT_MS));
  }
  const { verdict } = await moderations.state(id);
  if (verdict === undefined) throw new Error(`${id} has no verdict: ${status} ${reason ?? ''}`);
  return { id: sample.id, channel: sample.channel, verdict, reviewed, ms: performance.now() - started };
}
