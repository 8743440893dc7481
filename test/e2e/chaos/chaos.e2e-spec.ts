import { randomInt } from 'node:crypto';
import path from 'node:path';
import { Program } from '../../support/program.js';

const RUN = path.resolve(import.meta.dirname, '../../chaos/run.ts');
const MINUTE_MS = 60_000;

describe('a fleet on servers of its own, under load', () => {
  it(
    'loses, doubles and strands nothing while workers, connections and servers fail',
    async () => {
      // all ports that follow from it, up to that of Cassandra's storage, lie below those of outgoing connections
      const shift = randomInt(10_000, 15_000);
      const env = {
        CHAOS_STACK_DIR: path.join('.stack', 'chaos-short'),
        CHAOS_KAFKA_PORT: String(9092 + shift),
        CHAOS_CASSANDRA_PORT: String(9042 + shift),
        CHAOS_REDIS_PORT: String(6379 + shift),
      };
      const program = Program.start(RUN, env, ['--minutes', '1', '--seed', '7', '--gap', '700']);
      const code = await program.exit;
      console.log(program.output);
      expect(code).toBe(0);
    },
    10 * MINUTE_MS,
  );
});
