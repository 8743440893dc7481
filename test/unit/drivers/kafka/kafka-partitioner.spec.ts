import { Partitioners, type PartitionMetadata } from 'kafkajs';
import { partitioner } from '../../../../src/drivers/kafka/kafka-partitioner.js';

const metadata = (count: number): PartitionMetadata[] =>
  Array.from({ length: count }, (_, partitionId) => ({
    partitionId,
    partitionErrorCode: 0,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));

describe('the partitioner', () => {
  const own = partitioner();
  const theirs = Partitioners.DefaultPartitioner();

  it("chooses the partition that kafkajs' own chooses, for keys of every length", () => {
    const keys = ['', 'é', '日本語', ...Array.from({ length: 2000 }, (_, i) => `${'run-'.repeat(i % 7)}${i}`)];
    for (const key of keys) {
      for (const count of [1, 7, 12, 100]) {
        const args = { topic: 't', partitionMetadata: metadata(count), message: { key, value: null } };
        const expected = theirs({ ...args, message: { ...args.message, key } });
        expect([key, count, own(args)]).toEqual([key, count, expected]);
        expect(own({ ...args, message: { key: Buffer.from(key), value: null } })).toBe(expected);
      }
    }
  });

  it('spreads messages without a key, and takes a partition that is given', () => {
    const args = { topic: 't', partitionMetadata: metadata(4) };
    const spread = Array.from({ length: 8 }, () => own({ ...args, message: { value: null } }));
    expect(new Set(spread).size).toBe(4);
    expect(own({ ...args, message: { key: 'a', value: null, partition: 3 } })).toBe(3);
  });
});
