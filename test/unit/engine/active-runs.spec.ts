import { beforeEach, describe, expect, it } from '@jest/globals';
import { JsonSerializer } from 'flowcraft';
import { UnavailableError } from '../../../src/core/errors.js';
import { planBlueprint } from '../../../src/core/plan.js';
import type { RunRecord } from '../../../src/core/run.js';
import { ValueCodec } from '../../../src/core/value-codec.js';
import { ActiveRuns } from '../../../src/engine/active-run.js';
import type { BlueprintCatalog } from '../../../src/engine/blueprint-catalog.js';
import type { RunStore } from '../../../src/ports/run-store.js';
import { SHAPES } from '../../support/blueprints.js';
import { ManualClock } from '../../support/manual-clock.js';
import { runRecord } from '../../support/run-records.js';

const plan = planBlueprint(SHAPES.chain);

describe('finding runs', () => {
  let runs: ActiveRuns;
  let reads: { readonly answer: (record: RunRecord | undefined) => void; readonly fail: (error: Error) => void }[];

  beforeEach(() => {
    reads = [];
    const store = {
      run: () => new Promise<RunRecord | undefined>((answer, fail) => reads.push({ answer, fail })),
    };
    const catalog = { pinned: async () => plan };
    runs = new ActiveRuns(
      store as unknown as RunStore,
      catalog as unknown as BlueprintCatalog,
      new ValueCodec(new JsonSerializer(), 1000),
      1000,
      new ManualClock(0),
    );
  });

  it('reads a run once for a burst of messages, which all have the same one', async () => {
    const asked = Array.from({ length: 20 }, () => runs.find('r1'));
    reads[0]?.answer(runRecord({ runId: 'r1' }));
    const found = await Promise.all(asked);
    expect(new Set(found).size).toBe(1);
    expect(found[0]?.runId).toBe('r1');
    expect(reads).toHaveLength(1);
    await runs.find('r1');
    expect(reads).toHaveLength(1);
  });

  it('looks once more for all who asked while a read was under way that did not find the run', async () => {
    const early = runs.find('r1');
    const late = Array.from({ length: 5 }, () => runs.find('r1'));
    reads[0]?.answer(undefined);
    expect(await early).toBeUndefined();
    await new Promise((resolve) => setImmediate(resolve));
    reads[1]?.answer(runRecord({ runId: 'r1' }));
    expect((await Promise.all(late)).map((run) => run?.runId)).toEqual(Array(5).fill('r1'));
    expect(reads).toHaveLength(2);
  });

  it('fails for all who wait for a read that fails, and reads anew for the next', async () => {
    const asked = [runs.find('r1'), runs.find('r1')];
    reads[0]?.fail(new UnavailableError('cassandra', 'reading a run', new Error('away')));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = runs.find('r1');
    reads[1]?.answer(runRecord({ runId: 'r1' }));
    expect((await again)?.runId).toBe('r1');
  });
});
