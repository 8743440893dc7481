import { describe, expect, it } from '@jest/globals';
import type { Offsets } from 'kafkajs';
import { KafkaAssignment } from '../../../../src/drivers/kafka/kafka-assignment.js';
import { KafkaCommits } from '../../../../src/drivers/kafka/kafka-commits.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

function someCommits() {
  const clock = new ManualClock();
  const commits = new KafkaCommits('jobs', 200, clock, new RecordingLogger());
  const sent: string[] = [];
  let answer: () => Promise<void> = async () => undefined;
  const send = (offsets: Offsets) => {
    sent.push(offsets.topics.flatMap((t) => t.partitions.map((p) => `${p.partition}:${p.offset}`)).join(' '));
    return answer();
  };
  const assign = () => {
    const assignment = new KafkaAssignment(100, commits.arm);
    commits.assign(assignment);
    commits.commitThrough(send);
    return assignment;
  };
  const tick = async () => {
    clock.advance(200);
    await settle();
  };
  return { commits, sent, assign, tick, answerWith: (how: () => Promise<void>) => (answer = how) };
}

describe('commits', () => {
  it('go out once an interval for all partitions, and only when something was done', async () => {
    const { sent, assign, tick } = someCommits();
    const assignment = assign();
    for (const partition of [0, 1]) for (const offset of [0n, 1n]) assignment.begin(partition, offset);
    await tick();
    expect(sent).toEqual([]);
    assignment.finish(0, 0n);
    assignment.finish(1, 0n);
    assignment.finish(1, 1n);
    expect(sent).toEqual([]);
    await tick();
    await tick();
    expect(sent).toEqual(['0:1 1:2']);
  });

  it('that fail are repeated at the next tick', async () => {
    const { sent, assign, tick, answerWith } = someCommits();
    const assignment = assign();
    assignment.begin(0, 0n);
    assignment.finish(0, 0n);
    answerWith(() => Promise.reject(new Error('REBALANCE_IN_PROGRESS')));
    await tick();
    await tick();
    answerWith(async () => undefined);
    await tick();
    await tick();
    expect(sent).toEqual(['0:1', '0:1', '0:1']);
  });

  it('that fail are not repeated in another assignment', async () => {
    const { sent, assign, tick, answerWith } = someCommits();
    const before = assign();
    before.begin(0, 0n);
    before.finish(0, 0n);
    answerWith(() => Promise.reject(new Error('UNKNOWN_MEMBER_ID')));
    await tick();
    const after = assign();
    before.finish(0, 0n);
    answerWith(async () => undefined);
    await tick();
    after.begin(0, 0n);
    await tick();
    expect(sent).toEqual(['0:1']);
  });

  it('are one at a time, and what ends meanwhile follows', async () => {
    const { sent, assign, tick, answerWith } = someCommits();
    const assignment = assign();
    let release: () => void = () => undefined;
    answerWith(() => new Promise((resolve) => (release = resolve)));
    for (const offset of [0n, 1n]) assignment.begin(0, offset);
    assignment.finish(0, 0n);
    await tick();
    assignment.finish(0, 1n);
    await tick();
    expect(sent).toEqual(['0:1']);
    release();
    await settle();
    await tick();
    expect(sent).toEqual(['0:1', '0:2']);
  });
});
