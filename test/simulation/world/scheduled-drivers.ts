import type { MemoryBroker, GroupMember } from '../../../src/drivers/memory/memory-broker.js';
import { MemoryJobQueue } from '../../../src/drivers/memory/memory-job-queue.js';
import { MemoryLedger } from '../../../src/drivers/memory/memory-ledger.js';
import { MemoryRunSignals } from '../../../src/drivers/memory/memory-run-signals.js';
import { MemoryRunStore } from '../../../src/drivers/memory/memory-run-store.js';
import { MemoryTimerIndex, MemoryTimerRows } from '../../../src/drivers/memory/memory-timers.js';
import type { EngineDrivers } from '../../../src/engine/engine.js';
import type { JobHandler, JobQueue } from '../../../src/ports/job-queue.js';
import type { Logger } from '../../../src/ports/logger.js';
import type { RunSignals } from '../../../src/ports/run-signals.js';
import type { Server } from './network.js';
import type { SimulatedProcess } from './process.js';

/** These belong to the life of the process, not to the protocol. */
const LIFECYCLE = new Set(['connect', 'provision', 'close']);
/** A consumer says so often how far it has come. */
const COMMIT_INTERVAL_MS = 200;
const GROUP = 'workers';

/** The memory drivers over the world's shared data, with every call a step that the world releases. */
export function connectDrivers(
  process: SimulatedProcess,
  logger: Logger,
): Pick<EngineDrivers, 'queue' | 'store' | 'ledger' | 'signals' | 'timerRows' | 'timerIndex'> {
  const { servers, ledgerClock } = process.world;
  const drivers = {
    queue: queueOf(process, new MemoryJobQueue(brokerOf(process), logger, GROUP)),
    store: scheduled(process, 'cassandra', new MemoryRunStore(servers.store)),
    ledger: scheduled(process, 'redis', new MemoryLedger(ledgerClock, servers.ledger)),
    signals: signalsOf(process, new MemoryRunSignals(servers.signals, logger)),
    timerRows: scheduled(process, 'cassandra', new MemoryTimerRows(ledgerClock, servers.store.timers)),
    timerIndex: scheduled(process, 'redis', new MemoryTimerIndex(ledgerClock, servers.ledger.timers)),
  };
  for (const driver of [drivers.queue, drivers.store, drivers.ledger, drivers.signals]) void driver.connect();
  return drivers;
}

function scheduled<T extends object>(process: SimulatedProcess, server: Server, driver: T): T {
  return new Proxy(driver, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      if (LIFECYCLE.has(name)) return member.bind(target) as unknown;
      return (...args: unknown[]) =>
        process.call(server, name, args, () => member.apply(target, args) as Promise<unknown>);
    },
  });
}

function queueOf(process: SimulatedProcess, queue: MemoryJobQueue): JobQueue {
  return {
    connect: () => queue.connect(),
    provision: () => queue.provision(),
    close: () => queue.close(),
    publishDead: (message, reason) =>
      process.call('kafka', 'publishDead', [message, reason], () => queue.publishDead(message, reason)),
    deadTopic: queue.deadTopic,
    deadBounds: () => process.call('kafka', 'deadBounds', [], () => queue.deadBounds()),
    readDead: (ranges) => process.call('kafka', 'readDead', [ranges], () => queue.readDead(ranges)),
    redrive: (letter, headers) =>
      process.call('kafka', 'redrive', [letter, headers], () => queue.redrive(letter, headers)),
    consume: (handler) => queue.consume(gated(process, handler)),
    // a producer tries again until the broker has said yes: what was served and not answered is there twice
    publish: async (job, key) => {
      for (;;) {
        try {
          return await process.call('kafka', 'publish', [job, key], () => queue.publish(job, key));
        } catch (error) {
          if ((error as { server?: string }).server !== 'kafka') throw error;
        }
      }
    },
  };
}

/** What is fetched reaches the handler later, in any order; a process that is paused or dead handles nothing. */
function gated(process: SimulatedProcess, handler: JobHandler): JobHandler {
  const { world } = process;
  return {
    admit: async () => {
      await new Promise<void>((resolve) => process.whenAwake(resolve));
      await handler.admit();
    },
    handle: (message) =>
      new Promise((resolve, reject) => {
        process.later(world.network.delivery(process), () => {
          world.say(() => `${process.name} <- ${message.partition}/${message.offset} ${String(message.value)}`);
          world.deliver(process, message, handler).then(resolve, reject);
        });
      }),
  };
}

/** The broker as one process sees it. */
function brokerOf(process: SimulatedProcess): MemoryBroker {
  const { world } = process;
  const { broker } = world.servers;
  const offsets = new Map<number, number>();
  const own = Object.create(broker) as MemoryBroker;
  const flush = (groupId: string) => {
    for (const [partition, offset] of offsets) {
      void process
        .call('kafka', 'commit', [partition, offset], async () => world.commit(groupId, partition, offset))
        .catch(() => offsets.set(partition, Math.max(offset, offsets.get(partition) ?? 0)));
    }
    offsets.clear();
  };
  return Object.assign(own, {
    defer: (run: () => void) => void process.later(world.network.delivery(process), run),
    commit: (groupId: string, partition: number, offset: number) => {
      if (offsets.size === 0) process.later(world.random.between(0, COMMIT_INTERVAL_MS), () => flush(groupId));
      offsets.set(partition, offset);
    },
    join: (groupId: string, member: GroupMember) => {
      const membership = {
        isIn: false,
        join: () => {
          if (membership.isIn || !process.memberships.includes(membership)) return;
          membership.isIn = true;
          world.say(() => `${process.name} joins the group`);
          broker.join(groupId, member);
        },
        leave: () => {
          if (!membership.isIn) return;
          membership.isIn = false;
          world.say(() => `${process.name} is out of the group`);
          broker.leave(groupId, member);
        },
      };
      process.memberships.push(membership);
      membership.join();
    },
    leave: (groupId: string, member: GroupMember) => {
      flush(groupId);
      for (const membership of process.memberships.splice(0)) membership.leave();
      broker.leave(groupId, member);
    },
  } satisfies Partial<MemoryBroker>);
}

function signalsOf(process: SimulatedProcess, signals: MemoryRunSignals): RunSignals {
  const arrives =
    <T>(listener: (event: T) => void) =>
    (event: T) => {
      const ms = process.world.network.announcement(process);
      if (ms !== undefined && process.state !== 'dead') process.later(ms, () => listener(event));
    };
  return {
    connect: () => signals.connect(),
    close: () => signals.close(),
    announceEnd: (end) => process.call('redis', 'announceEnd', [end], () => signals.announceEnd(end)),
    announceCancel: (runId) => process.call('redis', 'announceCancel', [runId], () => signals.announceCancel(runId)),
    onEnd: (listener) => signals.onEnd(arrives(listener)),
    onCancel: (listener) => signals.onCancel(arrives(listener)),
    onGap: () => signals.onGap(),
  };
}
