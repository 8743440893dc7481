import { describe, expect, it } from '@jest/globals';
import { KafkaAssignment } from '../../../../src/drivers/kafka/kafka-assignment.js';

function anAssignment(maxOpen = 10) {
  let progress = 0;
  const assignment = new KafkaAssignment(maxOpen, () => progress++);
  return { assignment, progress: () => progress };
}

describe('an assignment', () => {
  it('can commit each partition up to its lowest open message', () => {
    const { assignment } = anAssignment();
    for (const offset of [5n, 6n, 9n]) assignment.begin(0, offset);
    assignment.begin(3, 0n);
    assignment.finish(0, 6n);
    assignment.finish(3, 0n);
    expect(assignment.committable()).toEqual([
      { partition: 0, offset: 5n },
      { partition: 3, offset: 1n },
    ]);
    assignment.finish(0, 5n);
    expect(assignment.committable()[0]).toEqual({ partition: 0, offset: 9n });
  });

  it('has nothing to commit of partitions that did not move since the last commit', () => {
    const { assignment } = anAssignment();
    assignment.begin(0, 5n);
    assignment.begin(1, 5n);
    assignment.finish(0, 5n);
    assignment.finish(1, 5n);
    assignment.markCommitted(assignment.committable());
    expect(assignment.committable()).toEqual([]);
    assignment.begin(1, 6n);
    expect(assignment.committable()).toEqual([]);
    assignment.finish(1, 6n);
    expect(assignment.committable()).toEqual([{ partition: 1, offset: 7n }]);
  });

  it('that has ended commits nothing, and what ends after it changes nothing', () => {
    const { assignment, progress } = anAssignment();
    assignment.begin(0, 5n);
    assignment.begin(0, 6n);
    assignment.finish(0, 5n);
    assignment.end();
    assignment.finish(0, 6n);
    expect(assignment.committable()).toEqual([]);
    expect(progress()).toBe(1);
  });

  it('is full when so many messages of a partition are open, and tells when one of them is done', async () => {
    const { assignment } = anAssignment(2);
    assignment.begin(0, 0n);
    assignment.begin(0, 1n);
    expect([assignment.isFull(0), assignment.isFull(1)]).toEqual([true, false]);
    const room = assignment.room(0);
    assignment.finish(0, 1n);
    await room;
    expect(assignment.isFull(0)).toBe(false);
  });

  it('lets nobody wait for room when it ends', async () => {
    const { assignment } = anAssignment(1);
    assignment.begin(0, 0n);
    const room = assignment.room(0);
    assignment.end();
    await room;
    expect(assignment.isFull(0)).toBe(false);
  });
});
