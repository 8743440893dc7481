import type { SettleAnswer, SettleRequest } from '../../src/core/ledger-state.js';
import type { LedgerState } from '../../src/core/ledger-state.js';
import { isEndStatus, type RunRecord, type TurnRecord } from '../../src/core/run.js';
import type { StatusWrite } from '../../src/ports/run-store.js';
import { marksIn, type Execution, type Lab } from './lab.js';
import type { SimulatedProcess } from './world/process.js';
import type { World } from './world/world.js';

/** Sees all that the servers do and all that nodes execute, and complains of what must not be. */
export class Observer {
  readonly violations = new Set<string>();
  /** By mark. */
  readonly executions = new Map<string, Execution>();
  /** What each settled turn came to, the first time that it was accepted. */
  private readonly outcomes = new Map<string, string>();
  private readonly keys = new Map<string, string>();
  private marks = 0;

  constructor(private readonly world: World) {
    world.interceptors.push(async (step, next) => {
      const check = this.before(step.method, step.args);
      const answer = await next();
      check?.(answer);
      return answer;
    });
    world.onErrorLogged = (process, message) => {
      if (!/could not be asked|swept|sign of life/.test(message)) this.complain(`${process.name} logged: ${message}`);
    };
  }

  complain(violation: string): void {
    if (!this.violations.has(violation)) this.world.say(() => `!!! ${violation}`);
    this.violations.add(violation);
  }

  lab(process: SimulatedProcess, work: () => Promise<void>): Lab {
    return {
      work,
      begin: (turn) => {
        const execution: Execution = { mark: `${process.name}x${++this.marks}`, turn, reads: new Set() };
        this.executions.set(execution.mark, execution);
        if (turn) {
          const name = `${turn.runId} ${turn.nodeId}@${turn.turn}`;
          this.world.say(() => `${process.name} executes ${name} as ${execution.mark}`);
          const key = this.keys.get(name) ?? turn.idempotencyKey;
          this.keys.set(name, key);
          if (key !== turn.idempotencyKey) this.complain(`${name} had two idempotency keys`);
        }
        return execution;
      },
    };
  }

  /** After all is over: the journal holds the outcomes that were accepted, made from nothing but such. */
  check(): void {
    const { turns } = this.world.servers.store;
    const accepted = new Set<string>();
    for (const [runId, rows] of turns) {
      for (const row of rows.values()) {
        for (const mark of marksOf(row)) accepted.add(mark);
        const outcome = this.outcomes.get(`${runId} ${row.nodeId}@${row.turn}`);
        if (outcome !== undefined && outcome !== outcomeOf(row))
          this.complain(
            `${runId} ${row.nodeId}@${row.turn} settled as ${outcome}, but the journal has ${outcomeOf(row)}`,
          );
      }
    }
    for (const [runId, rows] of turns) {
      for (const row of rows.values()) {
        for (const mark of marksOf(row)) {
          const execution = this.executions.get(mark);
          // outputs of subflows and of gathering nodes are made of the marks of others
          if (execution?.turn?.nodeId !== row.nodeId || execution.turn.runId !== runId) continue;
          for (const read of execution.reads)
            if (!accepted.has(read))
              this.complain(`${runId} ${row.nodeId}@${row.turn} was made from ${read}, which was not accepted`);
        }
      }
    }
    const keys = [...this.keys.values()];
    if (new Set(keys).size !== keys.length) this.complain('two turns had the same idempotency key');
  }

  private before(method: string, args: readonly unknown[]): ((answer: unknown) => void) | undefined {
    const { runs, statuses } = this.world.servers.store;
    switch (method) {
      case 'settle': {
        const [runId, request] = args as [string, SettleRequest];
        return (answer) => this.settled(runId, request, answer as SettleAnswer);
      }
      case 'install': {
        const [runId, state] = args as [string, LedgerState];
        return (answer) => {
          if (answer !== true) return;
          for (const { node, turn, state: s } of state.turns())
            if (s === 'D') this.accepted(runId, node, turn, 'rebuilt');
        };
      }
      case 'end': {
        const [runId] = args as [string];
        const before = runs.get(runId)?.status;
        return () => {
          const after = runs.get(runId)?.status;
          if (before && before !== 'running' && after !== before)
            this.complain(`${runId} was ${before} and became ${after}`);
        };
      }
      case 'writeStatus': {
        const [{ runId }] = args as [StatusWrite];
        const before = statuses.get(runId)?.head?.status;
        return () => {
          const after = statuses.get(runId)?.head?.status;
          if (before && isEndStatus(before) && after !== before)
            this.complain(`the status row of ${runId} was ${before} and became ${after}`);
        };
      }
      default:
        return undefined;
    }
  }

  private settled(runId: string, { settlement }: SettleRequest, answer: SettleAnswer): void {
    if (answer.kind !== 'accepted' || settlement.outcome === 'awaiting') return;
    this.accepted(runId, settlement.node, settlement.turn, 'settled');
  }

  private accepted(runId: string, node: string, turn: string, how: string): void {
    const row = this.world.servers.store.turns.get(runId)?.get(`${node}\u001f${turn}`);
    const name = `${runId} ${node}@${turn}`;
    if (!row || row.status === 'awaiting') {
      this.complain(`${name} was ${how}, but the journal ${row ? 'says that it waits' : 'does not have it'}`);
      return;
    }
    const outcome = outcomeOf(row);
    const before = this.outcomes.get(name);
    this.outcomes.set(name, before ?? outcome);
    if (before !== undefined && before !== outcome)
      this.complain(`${name} was ${how} as ${outcome} after it was ${before}`);
  }
}

/** The turns of a run and of its subflows, as `path node@turn`, without the names that are made up on the way. */
export function turnsOf(world: World, topRunId: string): Set<string> {
  const { runs, turns } = world.servers.store;
  const found = new Set<string>();
  for (const run of runs.values()) {
    if ((run.parent?.rootRunId ?? run.runId) !== topRunId) continue;
    const path = pathOf(run, runs);
    for (const row of turns.get(run.runId)?.values() ?? [])
      found.add(
        `${path}${row.nodeId.replace(/^step_.*_(\d+)$/, 'step #$1')}@${row.turn.replace(/step_.*_(\d+)/, '#$1')} ${row.status}`,
      );
  }
  return found;
}

function pathOf(run: RunRecord, runs: ReadonlyMap<string, RunRecord>): string {
  const { parent } = run;
  if (!parent) return '';
  const above = runs.get(parent.runId);
  return `${above ? pathOf(above, runs) : '?'}${parent.nodeId}@${parent.turn}#${parent.attempt}/`;
}

/** The marks of the executions that a row tells of. */
function marksOf(row: TurnRecord): Set<string> {
  const marks = row.output === undefined ? new Set<string>() : marksIn(JSON.parse(row.output));
  for (const text of [row.error?.message, row.error?.cause?.message])
    for (const [, mark] of text?.matchAll(/<([^<>]+)>/g) ?? []) if (mark !== undefined) marks.add(mark);
  return marks;
}

function outcomeOf({ status, output, action, taken, writes, rescuer, error }: TurnRecord): string {
  return JSON.stringify({ status, output, action, taken, writes, rescuer, error: error?.cause?.message });
}
