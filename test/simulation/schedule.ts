import { isEndStatus } from '../../src/core/run.js';
import { Callers, type WantedRun } from './callers.js';
import { Faults, FaultyNetwork } from './faults.js';
import { Fleet, STALLED_SECONDS, workFor } from './fleet.js';
import { FLOWS, type Flow } from './flows.js';
import { Observer, turnsOf } from './observer.js';
import { OffsetCheck } from './offsets.js';
import { comparable, oracle, type Expected } from './oracle.js';
import { blueprintsOf, nextVersion, NEXT_VERSION } from './versions.js';
import { Random } from './world/random.js';
import { World } from './world/world.js';

export interface ScheduleOptions {
  readonly seed: number;
  /** Only this flow. */
  readonly flow?: string;
  readonly trace?: (line: string) => void;
  /** Takes a safeguard away. */
  readonly sabotage?: (world: World) => void;
  /** @default true */
  readonly reconciler?: boolean;
  /** @default true */
  readonly faults?: boolean;
}

export interface ScheduleReport {
  readonly seed: number;
  readonly flows: readonly string[];
  readonly violations: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  readonly steps: number;
  readonly turns: number;
  readonly executions: number;
  /** Virtual milliseconds. */
  readonly elapsedMs: number;
}

const PARTITIONS = 2;
const MOST_FAULTY_MS = 60_000;
const MOST_STEPS = 40_000;
const ENDS_WITHIN_MS = STALLED_SECONDS * 1000 * 12;

/** One schedule, which follows from the seed: runs, faults, and what an outsider sees when all is over. */
export async function runSchedule(options: ScheduleOptions): Promise<ScheduleReport> {
  const { seed, trace, faults: hasFaults = true } = options;
  const random = new Random(seed, 'schedule');
  const flows = options.flow ? FLOWS.filter((f) => f.name === options.flow) : choose(random);
  const expected = new Map<Flow, Baseline>();
  for (const flow of flows) for (const each of [flow, nextVersion(flow)]) expected.set(each, await baseline(each));

  const world = new World({ seed, partitions: PARTITIONS, ...(trace ? { trace } : {}) });
  Date.now = () => world.ledgerClock.now(); // flowcraft's sleep asks it
  const observer = new Observer(world);
  const complain = (violation: string) => observer.complain(violation);
  new OffsetCheck(world, PARTITIONS, complain);
  const network = new FaultyNetwork(world, new Random(seed, 'network'));
  network.isCalm = !hasFaults;
  world.network = network;
  const work = new Random(seed, 'work');
  const duplicates = new Duplicates(world, random);
  const fleet = new Fleet(world, {
    workers: random.pick([2, 2, 3]),
    clients: 1,
    blueprints: (code) => blueprintsOf(code, flows),
    reconciler: options.reconciler ?? true,
    lab: (process) =>
      observer.lab(process, () => workFor(process, network.isCalm ? work.between(0, 5) : duration(work))),
  });
  const callers = new Callers(fleet, random, complain);
  flows.forEach((flow, i) => callers.start(flow, `run${i + 1}`, random.between(0, i === 0 ? 5 : 500)));
  options.sabotage?.(world);
  const faults = new Faults(world, fleet, callers, network, random, () => duplicates.deliver());

  try {
    world.between = () => faults.between();
    const isOver = () => faults.isOver || (callers.isContent && allEnded(world));
    if (hasFaults) await world.run({ until: isOver, forMs: MOST_FAULTY_MS, maxSteps: MOST_STEPS });
    world.between = undefined;
    world.say(() => '--- no more faults');
    faults.end();
    await world.run({
      until: () => callers.isContent && world.time.now > network.lastLate && allEnded(world),
      forMs: ENDS_WITHIN_MS,
      maxSteps: MOST_STEPS,
    });
    await world.run({ forMs: 100 });
    // a call of a process that died may have arrived since
    await world.run({ until: () => allEnded(world), forMs: ENDS_WITHIN_MS, maxSteps: MOST_STEPS });
    for (const left of await fleet.close()) complain(left);
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
  }
  observer.check();
  for (const wanted of callers.runs) checkRun(world, wanted, expected, complain);
  for (const { reason } of world.servers.broker.deadLetters) complain(`a job became a dead letter: ${reason.message}`);
  return {
    seed,
    flows: flows.map((f) => f.name),
    violations: [...observer.violations],
    faults: faults.counts,
    steps: world.steps,
    turns: [...world.servers.store.turns.values()].reduce((sum, rows) => sum + rows.size, 0),
    executions: observer.executions.size,
    elapsedMs: world.time.elapsed,
  };
}

interface Baseline extends Expected {
  readonly turns: ReadonlySet<string>;
}

const baselines = new Map<Flow, Promise<Baseline>>();

/** What must come of a flow: by flowcraft's runtime, or by hand; the turns as they are in a schedule without faults. */
function baseline(flow: Flow): Promise<Baseline> {
  let found = baselines.get(flow);
  if (!found) baselines.set(flow, (found = work()));
  return found;

  async function work(): Promise<Baseline> {
    const calm = await runCalmly(flow);
    if (!flow.intended) return { ...(await oracle(flow)), turns: calm.turns };
    for (const [key, v] of Object.entries(flow.intended))
      if (!calm.context.includes(`\n${key} = ${JSON.stringify({ v })}`))
        throw new Error(`'${flow.name}' does not end with ${key} = ${JSON.stringify(v)}:\n${calm.context}`);
    return calm;
  }
}

async function runCalmly(flow: Flow): Promise<Baseline> {
  const world = new World({ seed: 1 });
  Date.now = () => world.ledgerClock.now();
  const observer = new Observer(world);
  const fleet = new Fleet(world, {
    workers: 1,
    clients: 1,
    blueprints: () => Object.fromEntries(flow.blueprints.map((b) => [b.id, b])),
    code: 'next',
    reconciler: false,
    lab: (process) => observer.lab(process, async () => {}),
  });
  const callers = new Callers(fleet, new Random(1), (violation) => observer.complain(violation));
  const run = callers.start(flow, 'run', 0);
  await world.run({ until: () => callers.isContent && allEnded(world), forMs: 120_000 });
  await fleet.close();
  const { status, context, failed } = outcomeOf(world, run.runId, flow) ?? {
    status: 'nothing',
    context: '',
    failed: [],
  };
  return { status, context, failed, turns: turnsOf(world, run.runId) };
}

function allEnded({ servers }: World): boolean {
  for (const [runId, run] of servers.store.runs) {
    if (run.status === 'running') return false;
    if (!isEndStatus(servers.store.statuses.get(runId)?.head?.status ?? '')) return false;
  }
  return true;
}

function checkRun(
  world: World,
  wanted: WantedRun,
  baselines: ReadonlyMap<Flow, Baseline>,
  complain: (violation: string) => void,
): void {
  const { runs, statuses } = world.servers.store;
  const { runId } = wanted;
  const record = runs.get(runId);
  if (!record) {
    if (wanted.accepted) complain(`${runId} was accepted and is nowhere`);
    return;
  }
  // whatever code the workers had that executed it
  const flow = record.blueprintVersion === NEXT_VERSION ? nextVersion(wanted.flow) : wanted.flow;
  const expected = baselines.get(flow) as Baseline;
  for (const run of runs.values()) {
    if ((run.parent?.rootRunId ?? run.runId) !== runId) continue;
    const row = statuses.get(run.runId)?.head?.status ?? 'nothing';
    if (run.status === 'running') complain(`${run.runId} (${flow.name}) is stuck`);
    else if (row !== run.status) complain(`${run.runId} is ${run.status}, its status row says ${row}`);
  }
  const outcome = outcomeOf(world, runId, flow);
  if (!outcome) return;
  const turns = turnsOf(world, runId);
  for (const turn of turns)
    if (!expected.turns.has(turn) && !wanted.cancelled) complain(`${runId} (${flow.name}) ran ${turn}`);
  if (outcome.status === 'cancelled' && wanted.cancelled) return;
  if (outcome.status !== expected.status)
    complain(`${runId} (${flow.name}) is ${outcome.status}, not ${expected.status}: ${record.reason ?? ''}`);
  for (const turn of expected.turns) if (!turns.has(turn)) complain(`${runId} (${flow.name}) did not run ${turn}`);
  if (outcome.context !== expected.context)
    complain(`${runId} (${flow.name}): ${difference(expected.context, outcome.context)}`);
  if (outcome.failed.join() !== expected.failed.join())
    complain(`${runId} (${flow.name}) has errors of ${outcome.failed.join()}, not ${expected.failed.join()}`);
}

function outcomeOf(world: World, runId: string, flow: Flow): Expected | undefined {
  const head = world.servers.store.statuses.get(runId)?.head;
  if (head?.result === undefined) return undefined;
  const result = JSON.parse(head.result) as { context: Record<string, unknown>; errors?: { nodeId: string }[] };
  return {
    status: head.status,
    context: comparable(flow, result.context),
    failed: (result.errors ?? []).map((e) => e.nodeId).sort(),
  };
}

function difference(expected: string, actual: string): string {
  const [a, b] = [expected.split('\n'), actual.split('\n')];
  const missing = a.filter((line) => !b.includes(line)).slice(0, 3);
  const extra = b.filter((line) => !a.includes(line)).slice(0, 3);
  return `the context has ${extra.join(', ') || 'nothing'} instead of ${missing.join(', ') || 'nothing'}`;
}

function choose(random: Random): Flow[] {
  const count = random.pick([1, 1, 1, 2, 2, 3]);
  return Array.from({ length: count }, () => random.pick(FLOWS));
}

function duration(random: Random): number {
  const kind = random.next();
  if (kind < 0.5) return random.between(0, 5);
  if (kind < 0.9) return random.between(0, 300);
  return kind < 0.98 ? random.between(0, 5_000) : random.between(5_000, 40_000);
}

/** Messages that were delivered once, to be delivered again to anybody. */
class Duplicates {
  private readonly seen: (() => void)[] = [];

  constructor(
    world: World,
    private readonly random: Random,
  ) {
    world.onDelivery = (process, message, handler) => {
      this.seen.push(() => {
        if (process.state === 'running') handler.handle(message).catch(() => undefined);
      });
      return handler.handle(message);
    };
  }

  deliver(): boolean {
    if (this.seen.length === 0) return false;
    this.random.pick(this.seen)();
    return true;
  }
}
