import type { Violation } from './checker.js';
import type { Fault } from './faults.js';
import type { Death } from './fleet.js';
import type { TrackedRun } from './load.js';
import type { Execution, Notes } from './notes.js';

export interface Figures {
  readonly median: number;
  readonly p99: number;
  readonly worst: number;
  readonly count: number;
}

/** A storm, and how long the runs that it had caught needed to end once it was over. */
export interface Round {
  readonly calmAt: number;
  readonly caught: number;
  readonly lateAfterMs: readonly number[];
}

export interface Outcome {
  readonly seed: number;
  readonly minutes: number;
  readonly runs: Record<string, number>;
  readonly faults: Record<string, number>;
  readonly violations: Record<string, number>;
  readonly counts: Record<string, number>;
  readonly figures: Record<string, Figures>;
  readonly details: readonly Violation[];
}

export interface Observed {
  readonly seed: number;
  readonly minutes: number;
  readonly runs: readonly TrackedRun[];
  readonly faults: readonly Fault[];
  readonly deaths: readonly Death[];
  readonly rounds: readonly Round[];
  readonly notes: Notes;
  readonly violations: readonly Violation[];
  readonly deadLetters: number;
  readonly surprises: readonly string[];
}

export function outcomeOf(observed: Observed): Outcome {
  const { runs, faults, notes, violations, rounds } = observed;
  const turns = new Set([...notes.executions.values()].map((e) => `${e.runId} ${e.nodeId}@${e.turn}`));
  const logged = (start: string) => notes.log.filter((line) => line.message.startsWith(start)).length;
  const ended = runs.flatMap((run) =>
    run.endedAt === undefined || run.flow.fate === 'left' ? [] : [run.endedAt - run.askedAt],
  );
  return {
    seed: observed.seed,
    minutes: observed.minutes,
    runs: {
      accepted: runs.filter((run) => run.acceptedAt !== undefined).length,
      ...tally(runs.map((run) => run.outcome?.status ?? (run.waitsFor ? 'waiting' : 'unfinished'))),
    },
    faults: { total: faults.length, ...tally(faults.map((fault) => fault.kind)) },
    violations: { lost: 0, stuck: 0, doubled: 0, wrong: 0, ...tally(violations.map((v) => v.kind)) },
    counts: {
      'nodes executed': turns.size,
      'executed again': notes.executions.size - turns.size,
      'messages delivered': notes.messages,
      'delivered again': notes.redelivered,
      takeovers: logged('Taking over from worker'),
      rebuilds: logged('Rebuilt the ledger'),
      'runs the reconciler asked for': logged('A run made no progress'),
      'turns the reconciler sent again': logged('Sending '),
      'group joins': logged('The Kafka consumer has joined'),
      'consumers replaced':
        logged('The Kafka consumer crashed') +
        logged('The Kafka consumer gave') +
        logged('The Kafka consumer could not'),
      'dead letters': observed.deadLetters,
      'unexpected errors':
        logged('A job failed in a way') + logged('The ledger says that a turn has settled') + observed.surprises.length,
    },
    figures: {
      'takeover of a killed worker (ms)': figures(takeovers(observed)),
      'work goes on after a server fault (ms)': figures(serverRecoveries(observed)),
      'runs end after the storm (ms)': figures(rounds.flatMap((round) => round.lateAfterMs)),
      'run latency (ms)': figures(ended),
    },
    details: violations,
  };
}

/** From the death of a worker to the next execution of what it was executing. */
function takeovers({ deaths, faults, notes }: Observed): number[] {
  const executions = [...notes.executions.values()];
  const byTurn = new Map<string, Execution[]>();
  for (const e of executions) {
    const name = `${e.runId} ${e.nodeId}@${e.turn}`;
    byTurn.set(name, [...(byTurn.get(name) ?? []), e]);
  }
  return deaths.flatMap(({ worker, at }) =>
    executions
      .filter((e) => e.worker === worker && e.finishedAt === undefined)
      .flatMap((e) => {
        const later = (byTurn.get(`${e.runId} ${e.nodeId}@${e.turn}`) ?? []).filter((other) => other.startedAt >= at);
        const next = Math.min(...later.map((other) => other.startedAt));
        // while a server was away this says nothing about the fleet
        const isClean = !faults.some((f) => isOfAll(f) && f.at < next && (f.endedAt ?? Infinity) > at - 10_000);
        return later.length === 0 || !isClean ? [] : [next - at];
      }),
  );
}

/** From the end of a fault of a server to the next node that starts. */
function serverRecoveries({ faults, notes }: Observed): number[] {
  const starts = [...notes.executions.values()].map((e) => e.startedAt).sort((a, b) => a - b);
  const ofServers = faults.filter(isOfAll);
  return ofServers.flatMap((fault) => {
    const { endedAt = Infinity } = fault;
    const next = starts.find((at) => at >= endedAt);
    // while another server is away nothing can be said of this one
    const isAlone = ofServers.every((f) => f === fault || f.at > (next ?? 0) || (f.endedAt ?? Infinity) < endedAt);
    return next === undefined || !isAlone ? [] : [next - endedAt];
  });
}

/** A fault that the whole fleet feels. */
function isOfAll({ kind, detail }: Fault): boolean {
  return /^(redis|kafka|cassandra)/.test(kind) || detail.includes('of all');
}

export function figures(values: readonly number[]): Figures {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { median: at(0.5), p99: at(0.99), worst: sorted.at(-1) ?? 0, count: sorted.length };
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Below these a round shows nothing. */
const FAULTS_A_MINUTE = 10;
const RUNS_A_MINUTE = 20;

export function isGood(outcome: Outcome): boolean {
  return (
    (outcome.faults['total'] ?? 0) >= outcome.minutes * FAULTS_A_MINUTE &&
    (outcome.runs['accepted'] ?? 0) >= outcome.minutes * RUNS_A_MINUTE &&
    Object.values(outcome.violations).every((count) => count === 0) &&
    outcome.counts['dead letters'] === 0 &&
    outcome.counts['unexpected errors'] === 0
  );
}

export function table(outcome: Outcome): string {
  const section = (title: string, rows: Record<string, number>) =>
    [`\n${title}`, ...Object.entries(rows).map(([name, count]) => `  ${name.padEnd(44)} ${count}`)].join('\n');
  const timing = Object.entries(outcome.figures).map(
    ([name, f]) => `  ${name.padEnd(44)} median ${f.median}, p99 ${f.p99}, worst ${f.worst} (${f.count})`,
  );
  return [
    `seed ${outcome.seed}, ${outcome.minutes} minutes`,
    section('Runs', outcome.runs),
    section('Faults', outcome.faults),
    section('What they caused', outcome.counts),
    `\nTimes\n${timing.join('\n')}`,
    section('Violations', outcome.violations),
    ...outcome.details.slice(0, 40).map((v) => `  ${v.kind} ${v.runId}: ${v.what}`),
  ].join('\n');
}
