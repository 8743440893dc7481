import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import { deferToNextTurn, type Defer } from './defer.js';
import { MemoryBroker } from './memory-broker.js';
import { MemoryJobQueue } from './memory-job-queue.js';
import { MemoryLedger, MemoryLedgerData } from './memory-ledger.js';
import { MemoryRunSignals, MemorySignalBus } from './memory-run-signals.js';
import { MemoryRunStore, MemoryStoreData } from './memory-run-store.js';
import { MemoryTimerIndex, MemoryTimerRows } from './memory-timers.js';

export interface MemoryDrivers {
  readonly queue: MemoryJobQueue;
  readonly store: MemoryRunStore;
  readonly ledger: MemoryLedger;
  readonly signals: MemoryRunSignals;
  readonly timerRows: MemoryTimerRows;
  readonly timerIndex: MemoryTimerIndex;
}

export interface MemoryServersOptions {
  readonly clock: Clock;
  /** @default 4 */
  readonly partitions?: number;
  /** @default the next turn of Node's event loop */
  readonly defer?: Defer;
}

/** Stands in for the three servers. Each `drivers()` is one process that is connected to them. */
export class MemoryServers {
  readonly broker: MemoryBroker;
  readonly store = new MemoryStoreData();
  readonly ledger = new MemoryLedgerData();
  readonly signals: MemorySignalBus;
  private readonly clock: Clock;

  constructor(options: MemoryServersOptions) {
    const { clock, defer = deferToNextTurn, partitions = 4 } = options;
    this.clock = clock;
    this.broker = new MemoryBroker({ partitions, defer, now: () => clock.now() });
    this.signals = new MemorySignalBus(defer);
  }

  drivers(logger: Logger, groupId?: string): MemoryDrivers {
    return {
      queue: new MemoryJobQueue(this.broker, logger, groupId),
      store: new MemoryRunStore(this.store),
      ledger: new MemoryLedger(this.clock, this.ledger),
      signals: new MemoryRunSignals(this.signals, logger),
      timerRows: new MemoryTimerRows(this.clock, this.store.timers),
      timerIndex: new MemoryTimerIndex(this.clock, this.ledger.timers),
    };
  }
}
