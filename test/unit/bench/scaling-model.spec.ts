import { readFile } from 'node:fs/promises';
// @ts-expect-error the benchmarks are plain modules
import * as model from '../../../bench/scaling-model.mjs';

interface Costs {
  worker: number;
  client: number;
  kafka: number;
  cassandra: number;
  redis: number;
  redisBranch: number;
}
interface Needs {
  workers: number;
  partitions: number;
  cassandraServers: number;
  redisShards: number;
}
const { costsOf, filled, needs, RATES } = model as {
  costsOf: () => Promise<Costs>;
  filled: (text: string, costs: Costs) => string;
  needs: (rate: number, costs: Costs) => Needs;
  RATES: number[];
};

describe('the model of scaling', () => {
  it('calculates what docs/scaling.md says', async () => {
    const text = await readFile('docs/scaling.md', 'utf8');
    const squeeze = (t: string) => t.replace(/ +/g, ' ').replace(/-{2,}/g, '--');
    expect(squeeze(filled(text, await costsOf()))).toBe(squeeze(text));
  });

  it('needs more of everything for more, and a partition for every worker', async () => {
    const costs = await costsOf();
    const all = RATES.map((rate) => needs(rate, costs));
    for (const [i, n] of all.entries()) {
      expect(n.partitions).toBeGreaterThanOrEqual(n.workers);
      const before = all[i - 1] ?? n;
      expect(n.workers).toBeGreaterThanOrEqual(before.workers);
      expect(n.cassandraServers).toBeGreaterThanOrEqual(before.cassandraServers);
      expect(n.redisShards).toBeGreaterThanOrEqual(before.redisShards);
    }
  });
});
