import type { TurnRecord } from '../../src/core/run.js';
import type { RunStore } from '../../src/ports/run-store.js';
import type { TrackedRun } from './load.js';
import { noncesIn } from './nodes.js';
import type { Execution, Notes } from './notes.js';
import { comparable, expectedOf, stableName, type Expected } from './oracle.js';

/**
 * `lost`: work that was accepted is not done. `stuck`: a run neither ended nor waits for something that it names.
 * `doubled`: a turn too many, or two outcomes of one turn. `wrong`: another status, context or key than it must be.
 */
export type ViolationKind = 'lost' | 'stuck' | 'doubled' | 'wrong';

export interface Violation {
  readonly kind: ViolationKind;
  readonly runId: string;
  readonly what: string;
}

/** Judges all runs from outside: what clients saw, what workers noted, what is in the journal. */
export async function check(runs: readonly TrackedRun[], notes: Notes, store: RunStore): Promise<Violation[]> {
  const violations: Violation[] = [];
  const journals = new Map<string, readonly TurnRecord[]>();
  const known = new Set([...runs.map((run) => run.runId), ...[...notes.executions.values()].map((e) => e.runId)]);
  for (const runId of known) journals.set(runId, await store.turns(runId));
  const accepted = acceptedNonces(journals);
  const report = (runId: string, kind: ViolationKind, what: string) => violations.push({ kind, runId, what });

  for (const run of runs) {
    const { runId, flow, number, outcome } = run;
    if (run.problem !== undefined) report(runId, 'wrong', `its client failed: ${run.problem}`);
    if (!outcome) {
      if (run.waitsFor === undefined && run.problem === undefined)
        report(runId, run.acceptedAt === undefined ? 'lost' : 'stuck', stateOf(journals.get(runId) ?? []));
      continue;
    }
    const expected = await expectedOf(flow, number);
    const mayBeCancelled = flow.fate === 'cancelled' && run.isCancelled;
    const status = mayBeCancelled ? 'cancelled' : expected.status;
    if (outcome.status !== status) report(runId, 'wrong', `ended as ${outcome.status}, not ${status}`);
    if (outcome.status === 'cancelled') continue;
    for (const what of contextDifferences(run, expected)) report(runId, 'wrong', what);
    for (const { kind, what } of turnDifferences(journals.get(runId) ?? [], expected)) report(runId, kind, what);
    for (const nonce of noncesIn(outcome.result?.context))
      if (!accepted.has(nonce))
        report(runId, 'doubled', `the context has the output of ${nonce}, which is not in the journal`);
  }
  for (const [runId, what] of outcomeProblems(notes, journals, accepted)) report(runId, 'doubled', what);
  for (const [runId, what] of keyProblems(notes)) report(runId, 'wrong', what);
  return violations;
}

/** Executions whose output the journal holds. */
function acceptedNonces(journals: ReadonlyMap<string, readonly TurnRecord[]>): ReadonlySet<string> {
  const nonces = new Set<string>();
  for (const rows of journals.values()) for (const row of rows) for (const nonce of nonceOf(row)) nonces.add(nonce);
  // answers have no execution; the oracle's own word stands for what was never executed
  return new AnswersToo(nonces);
}

class AnswersToo extends Set<string> {
  override has(nonce: string): boolean {
    return nonce.startsWith('answer:') || super.has(nonce);
  }
}

function nonceOf({ output }: TurnRecord): string[] {
  if (output === undefined) return [];
  const { v: value } = JSON.parse(output) as { v?: unknown };
  return typeof value === 'object' && value !== null && 'x' in value && typeof value.x === 'string' ? [value.x] : [];
}

/** Whatever was accepted was made of what was accepted: no turn has two outcomes that somebody has seen. */
function* outcomeProblems(
  notes: Notes,
  journals: ReadonlyMap<string, readonly TurnRecord[]>,
  accepted: ReadonlySet<string>,
): Generator<[string, string]> {
  for (const [runId, rows] of journals) {
    for (const row of rows) {
      for (const nonce of nonceOf(row)) {
        const execution = notes.executions.get(nonce);
        if (!execution) continue; // an answer, or the output of a subflow, which has its own row
        for (const seen of execution.seen)
          if (!accepted.has(seen) && !isOfFailed(notes, seen))
            yield [runId, `${row.nodeId}@${row.turn} was made of ${seen}, which is not what was recorded`];
      }
    }
  }
}

/** What a node wrote before it failed is kept, as in flowcraft, but has no output in the journal. */
function isOfFailed(notes: Notes, nonce: string): boolean {
  return notes.executions.get(nonce)?.finishedAt === undefined && notes.executions.has(nonce);
}

function* keyProblems(notes: Notes): Generator<[string, string]> {
  const keys = new Map<string, Execution>();
  const turns = new Map<string, Execution>();
  for (const execution of notes.executions.values()) {
    const { runId, nodeId, turn, key } = execution;
    const name = `${runId} ${nodeId}@${turn}`;
    const [sameKey, sameTurn] = [keys.get(key), turns.get(name)];
    if (sameKey && `${sameKey.runId} ${sameKey.nodeId}@${sameKey.turn}` !== name)
      yield [runId, `two turns share the idempotency key ${key}`];
    if (sameTurn && sameTurn.key !== key) yield [runId, `${nodeId}@${turn} was executed under two idempotency keys`];
    keys.set(key, execution);
    turns.set(name, execution);
  }
}

function contextDifferences({ flow, outcome }: TrackedRun, expected: Expected): string[] {
  const found = comparable(flow, outcome?.result?.context ?? {});
  const keys = new Set([...expected.context.keys(), ...found.keys()]);
  return [...keys]
    .filter((key) => expected.context.get(key) !== found.get(key))
    .map((key) => `context '${key}' is ${found.get(key) ?? 'absent'}, not ${expected.context.get(key) ?? 'absent'}`);
}

function* turnDifferences(
  rows: readonly TurnRecord[],
  expected: Expected,
): Generator<{ kind: ViolationKind; what: string }> {
  const turns: Record<string, number> = {};
  for (const { nodeId } of rows) turns[stableName(nodeId)] = (turns[stableName(nodeId)] ?? 0) + 1;
  for (const node of new Set([...Object.keys(turns), ...Object.keys(expected.turns)])) {
    const [has, wants] = [turns[node] ?? 0, expected.turns[node] ?? 0];
    if (has > wants) yield { kind: 'doubled', what: `${node} has ${has} turns, not ${wants}` };
    if (has < wants) yield { kind: 'lost', what: `${node} has ${has} turns, not ${wants}` };
  }
}

function stateOf(rows: readonly TurnRecord[]): string {
  const turns = rows.map((row) => `${row.nodeId}@${row.turn} ${row.status}`);
  return `has not ended; its journal: ${turns.join(', ') || 'empty'}`;
}
