import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { CONTACT_POINTS, SOURCE } from '../../support/cassandra-fixture.js';
import { BROKERS } from '../../support/kafka-fixture.js';
import { REDIS_URL } from '../../support/redis-fixture.js';

interface Report {
  readonly nodes: number;
  readonly executedTwice: number;
  readonly mostHeapMegabytes: number;
}

const SERVERS = {
  KAFKA_BROKERS: BROKERS.join(','),
  CASSANDRA_CONTACT_POINTS: CONTACT_POINTS.join(','),
  CASSANDRA_DATACENTER: SOURCE.localDataCenter,
  REDIS_URL,
};
const RUNS = 1500;

describe('a backlog', () => {
  it('of runs that were submitted to no worker is executed by one with little memory', async () => {
    const file = path.join(tmpdir(), `backlog-${process.pid}.json`);
    try {
      const args = ['bench/backpressure.mjs', '--runs', String(RUNS), '--heap', '80', '--out', file];
      await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...SERVERS }, timeout: 240_000 });
      const report = JSON.parse(await readFile(file, 'utf8')) as Report;
      expect(report).toMatchObject({ nodes: 2 * RUNS, executedTwice: 0 });
      expect(report.mostHeapMegabytes).toBeLessThan(80);
    } finally {
      await rm(file, { force: true });
    }
  }, 250_000);
});
