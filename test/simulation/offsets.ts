import { decodeJob, type Job } from '../../src/core/envelope.js';
import { LedgerState, type SettleAnswer, type SettleRequest } from '../../src/core/ledger-state.js';
import type { RawMessage } from '../../src/ports/job-queue.js';
import type { TurnWrite } from '../../src/ports/run-store.js';
import type { World } from './world/world.js';

const GROUP = 'workers';

/**
 * Looks at each offset that is committed: its message must have nothing left to cause. Its turn stands in the journal and
 * whatever it led to has settled or had a message of its own; or its run has ended; or the message is there again, further
 * on.
 */
export class OffsetCheck {
  private readonly published = new Set<string>();
  private readonly waited = new Set<string>();
  /** Turns whose wait was accepted: that has been their part, and whoever answers them has the run watched. */
  private readonly answerable = new Set<string>();
  /** Turns that were accepted, whatever a ledger that went back to an older state says. */
  private readonly settled = new Set<string>();
  /** What each turn made ready when it settled, and what the message of a run's first turn stands for. */
  private readonly ready = new Map<string, Set<string>>();

  constructor(
    private readonly world: World,
    private readonly partitions: number,
    private readonly complain: (violation: string) => void,
  ) {
    world.onCommit = (partition, from, to) => this.check(partition, from, to);
    world.interceptors.push(async (step, next) => {
      const fired = step.method === 'settle' ? this.settling(step.args as [string, SettleRequest]) : undefined;
      const answer = await next();
      fired?.(answer as SettleAnswer);
      if (step.method === 'install' && answer === true) this.installed(step.args as [string, LedgerState]);
      if (step.method === 'begin') this.begun(step.args as [string, LedgerState]);
      if (step.method === 'write') this.written(step.args[0] as TurnWrite);
      if (step.method === 'publish') this.published.add(nameOf(step.args[0] as Job));
      return answer;
    });
  }

  private begun([runId, state]: [string, LedgerState]): void {
    const turns = state.turns().map(({ node, turn, unsent }) => ({ name: `${runId} ${node}@${turn}`, unsent }));
    const others = turns.filter(({ unsent }) => unsent).map(({ name }) => name);
    for (const { name, unsent } of turns) if (!unsent) this.ready.set(name, new Set(others));
  }

  private written({ runId, record: { nodeId, turn, status } }: TurnWrite): void {
    if (status === 'awaiting') this.waited.add(`${runId} ${nodeId}@${turn}`);
  }

  /** Whoever rebuilds a ledger sees to what waits in it. */
  private installed([runId, state]: [string, LedgerState]): void {
    for (const { node, turn, state: is } of state.turns())
      if (is === 'W') this.answerable.add(`${runId} ${node}@${turn}`);
  }

  private settling([runId, { settlement }]: [string, SettleRequest]): ((answer: SettleAnswer) => void) | undefined {
    const { node, turn } = settlement;
    const before = new LedgerState(new Map(this.world.servers.ledger.runs.get(runId)?.fields));
    // the message of a node that waited has done its part; whoever answers it sends what follows
    if (settlement.outcome !== 'awaiting' && this.waited.has(`${runId} ${node}@${turn}`)) return undefined;
    return (answer) => {
      if (answer.kind !== 'accepted') return;
      const as = settlement.outcome === 'awaiting' ? this.answerable : this.settled;
      as.add(`${runId} ${node}@${turn}`);
      for (const fired of answer.fired) {
        const state = before.turn(fired.node, fired.turn)?.state;
        if (state !== undefined && state !== 'Q') continue;
        const name = `${runId} ${node}@${turn}`;
        this.ready.set(name, (this.ready.get(name) ?? new Set()).add(`${runId} ${fired.node}@${fired.turn}`));
      }
    };
  }

  private check(partition: number, from: number, to: number): void {
    for (let offset = from; offset < to; offset++) {
      const message = this.world.servers.broker.read(partition, offset);
      const missing = message && this.owed(message, to);
      if (missing !== undefined && missing !== '')
        this.complain(`offset ${partition}/${offset} was committed, but ${missing}`);
    }
  }

  /** What a message still has to cause. */
  private owed(message: RawMessage, committedTo: number): string {
    const job = decodeJob(message.value);
    const { runs, turns } = this.world.servers.store;
    const run = runs.get(job.runId);
    if (!run || run.status !== 'running' || job.probe) return '';
    const row = turns.get(job.runId)?.get(`${job.nodeId}\u001f${job.turn ?? '1'}`);
    if (!row) return this.isAgainBehind(job, message, committedTo) ? '' : `${nameOf(job)} has not settled`;
    const silent = this.silentBelow(nameOf(job), this.world.servers.ledger.runs.get(job.runId));
    if (silent === undefined || this.isAgainBehind(job, message, committedTo)) return '';
    return `${silent}, to which ${nameOf(job)} led, never had a message`;
  }

  /** An open turn that no message leads to once this one is committed: it never had one, nor had any between the two. */
  private silentBelow(name: string, ledger: LedgerState | undefined): string | undefined {
    for (const fired of this.ready.get(name) ?? []) {
      if (this.published.has(fired) || this.answerable.has(fired)) continue;
      const [, node = '', turn = ''] = /^\S+ ([^@]*)@(.*)$/.exec(fired) ?? [];
      const state = ledger?.turn(node, turn)?.state;
      const hasSettled = state === 'D' || this.settled.has(fired);
      if ((state === 'R' || state === 'C') && !hasSettled) return fired;
      const further = hasSettled ? this.silentBelow(fired, ledger) : undefined;
      if (further !== undefined) return further;
    }
    return undefined;
  }

  private isAgainBehind(job: Job, message: RawMessage, committedTo: number): boolean {
    const { broker } = this.world.servers;
    for (let partition = 0; partition < this.partitions; partition++) {
      const from = partition === message.partition ? committedTo : broker.committed(GROUP, partition);
      for (let offset = from; ; offset++) {
        const other = broker.read(partition, offset);
        if (!other) break;
        if (nameOf(decodeJob(other.value)) === nameOf(job)) return true;
      }
    }
    return false;
  }
}

function nameOf({ runId, nodeId, turn = '1' }: Job): string {
  return `${runId} ${nodeId}@${turn}`;
}
