import { webcrypto } from 'node:crypto';
import { Random } from './world/random.js';
import { runSchedule, type ScheduleReport } from './schedule.js';
import { CONTROLS, MUTANTS } from './mutants.js';

/** What a child process is told: `{ from, to, mutant, trace, flow }`, as JSON in its first argument. */
interface Task {
  readonly from: number;
  readonly to: number;
  readonly step?: number;
  readonly trace?: boolean;
  readonly flow?: string;
  readonly mutant?: string;
  /** Ends with the first seed that fails. */
  readonly untilFailure?: boolean;
}

export interface Totals {
  schedules: number;
  steps: number;
  turns: number;
  executions: number;
  runs: number;
  faults: Record<string, number>;
  flows: Record<string, number>;
  failures: { seed: number; flows: readonly string[]; violations: readonly string[] }[];
}

let unhandled: string[] = [];
process.on('unhandledRejection', (error) => {
  unhandled.push(`unhandled rejection: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
});
const task = JSON.parse(process.argv[2] ?? '{}') as Task;
const mutant = task.mutant === undefined ? undefined : (MUTANTS[task.mutant] ?? CONTROLS[task.mutant]);
if (task.mutant !== undefined && !mutant) throw new Error(`There is no mutant '${task.mutant}'.`);
const totals: Totals = {
  schedules: 0,
  steps: 0,
  turns: 0,
  executions: 0,
  runs: 0,
  faults: {},
  flows: {},
  failures: [],
};

for (let current = task.from; current <= task.to; current += task.step ?? 1) {
  unhandled = [];
  const ids = new Random(current, 'uuids');
  // flowcraft's batches make ids of these
  webcrypto.randomUUID = () => uuid(ids);
  const report = await runSchedule({
    seed: current,
    ...(task.flow === undefined ? {} : { flow: task.flow }),
    ...(task.trace ? { trace: (line: string) => console.log(line) } : {}),
    ...mutant,
  });
  await new Promise((resolve) => setImmediate(resolve));
  add(report, unhandled);
  if (task.untilFailure && totals.failures.length > 0) break;
}
console.log(JSON.stringify(totals));

function add(report: ScheduleReport, rejections: readonly string[]): void {
  totals.schedules++;
  totals.runs += report.flows.length;
  totals.steps += report.steps;
  totals.turns += report.turns;
  totals.executions += report.executions;
  for (const [kind, count] of Object.entries(report.faults)) totals.faults[kind] = (totals.faults[kind] ?? 0) + count;
  for (const flow of report.flows) totals.flows[flow] = (totals.flows[flow] ?? 0) + 1;
  const violations = [...report.violations, ...rejections];
  if (violations.length > 0) totals.failures.push({ seed: report.seed, flows: report.flows, violations });
}

function uuid(random: Random): `${string}-${string}-${string}-${string}-${string}` {
  const hex = (length: number) => Array.from({ length }, () => random.int(16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}
