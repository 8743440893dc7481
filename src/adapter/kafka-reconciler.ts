import type { Client } from 'cassandra-driver';
import type { ILogger } from 'flowcraft';
import { DEFAULT_OPTIONS } from '../composition/default-options.js';
import type { ReconciliationStats } from '../engine/reconciler.js';
import { engineLogger } from './adapter-logger.js';
import { about, checkReconcilerOptions, warnOfUnknown } from './adapter-options-check.js';
import type { AdapterEngine } from './adapter-session.js';
import { sendStartJobs, StalledStatuses } from './foreign-runs.js';
import type { KafkaAdapter } from './kafka-adapter.js';

/** What errors about options name. */
const NAME = 'createKafkaReconciler()';

export interface KafkaReconcilerOptions {
  /** Started or only constructed. */
  readonly adapter: KafkaAdapter;
  readonly cassandraClient: Client;
  readonly keyspace: string;
  readonly statusTableName: string;
  /** A run that made no progress for so long counts as stalled. Seconds, default 300. */
  readonly stalledThresholdSeconds?: number;
  /** Default: that of the adapter. */
  readonly logger?: ILogger;
}

export interface KafkaReconciler {
  /**
   * Finds stalled runs and asks them to go on. Safe to repeat, and to run in several processes at once.
   * @throws ConnectError if the adapter was not started and a server cannot be reached
   * @throws UnavailableError
   */
  run(): Promise<ReconciliationStats>;
}

/**
 * Finds runs that do not move: those that the adapter's fleet knows, and those of clients whose first jobs were lost,
 * which only their status row tells of. With an adapter that was not started, the connections of a `run` are closed a
 * second after it; `adapter.stop()` closes them at once.
 *
 * Options that it does not know are refused or warned of as those of the adapter.
 * @throws ConfigurationError that lists every problem of the options by its path
 */
export function createKafkaReconciler(options: KafkaReconcilerOptions): KafkaReconciler {
  const unknown = checkReconcilerOptions(options);
  if (unknown.length > 0) warnOfUnknown(unknown, NAME, engineLogger(options.logger));
  const { adapter, cassandraClient, keyspace, statusTableName } = options;
  const { stalledThresholdSeconds = DEFAULT_OPTIONS.reconciler.stalledThresholdSeconds } = options;
  const statuses = about(NAME, () => new StalledStatuses({ client: cassandraClient, keyspace, statusTableName }));
  const loggerOf = (session: AdapterEngine) => (options.logger ? engineLogger(options.logger) : session.logger);

  /** What became of a run whose status row says that it runs and did not move. */
  const look = async (runId: string, session: AdapterEngine): Promise<'fine' | 'asked'> => {
    const { engine, drivers } = session;
    const run = await drivers.store.run(runId);
    if (!run) {
      const nodes = await sendStartJobs(runId, session);
      loggerOf(session).warn(`Sent the start of a run again that no worker had seen: ${nodes.join(', ')}`, { runId });
      return 'asked';
    }
    // the rows move less often than runs do; what the ledger knows, the sweep has judged
    if (run.status === 'running' && (await drivers.ledger.read(runId)).fields.size > 0) return 'fine';
    return (await engine.reconciler.askRun(runId)) ? 'asked' : 'fine';
  };

  const sweepStatuses = async (session: AdapterEngine, seen: ReadonlySet<string>, stats: ReconciliationStats) => {
    for await (const runId of statuses.olderThan(Date.now() - stalledThresholdSeconds * 1000)) {
      if (seen.has(runId)) continue;
      try {
        if ((await look(runId, session)) === 'fine') continue;
        stats.stalledRuns++;
        stats.reconciledRuns++;
      } catch (error) {
        stats.stalledRuns++;
        stats.failedRuns++;
        const why = error instanceof Error ? error.message : String(error);
        loggerOf(session).error(`A stalled run could not be asked to go on: ${why}`, { runId });
      }
    }
  };

  return {
    run: () =>
      adapter.use(async (session) => {
        const seen = new Set<string>();
        const stats = await session.engine.reconciler.sweep(stalledThresholdSeconds, { alone: false, seen });
        await sweepStatuses(session, seen, stats);
        return stats;
      }),
  };
}
