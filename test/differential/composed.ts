import type { WorkflowBlueprint } from 'flowcraft';
import type { Random } from '../simulation/world/random.js';
import { someTransform, Sketch, type Part } from './sketch.js';

const DEEPEST_SUBFLOW = 2;
const DEEPEST_LOOP = 2;

/** Where a part is built: how many loops are around it, and how many subflows. */
interface Place {
  readonly loops: number;
  readonly subflows: number;
}

/**
 * Blueprints composed of parts that have one way in and one way out, nested at will: sequences, parallel branches,
 * choices, loops, cycles, batches, dynamic nodes, subflows, waits, failures with and without fallback. Joins read their
 * predecessors by name, so that the outcome depends on no timing.
 */
export class Composer {
  readonly blueprints: Record<string, WorkflowBlueprint> = {};
  private readonly serial = { next: 0 };

  constructor(
    private readonly random: Random,
    private readonly name: string,
  ) {}

  compose(size: number): Record<string, WorkflowBlueprint> {
    this.blueprints['main'] = this.blueprint(this.name, size, { loops: 0, subflows: 0 });
    return this.blueprints;
  }

  private blueprint(id: string, size: number, place: Place): WorkflowBlueprint {
    const sketch = new Sketch(id, this.random, size, this.serial);
    this.sequence(sketch, place);
    return sketch.blueprint();
  }

  private part(s: Sketch, place: Place): Part {
    if (s.left <= 0) return this.task(s);
    const choices: [number, () => Part][] = [
      [24, () => this.task(s)],
      [16, () => this.sequence(s, place)],
      [14, () => this.parallel(s, place)],
      [14, () => this.choice(s, place)],
      [9, () => this.rescued(s, place)],
      [5, () => this.wait(s)],
      [2, () => this.broken(s)],
      [place.subflows < DEEPEST_SUBFLOW ? 7 : 0, () => this.subflow(s, place)],
      [place.loops < DEEPEST_LOOP ? 9 : 0, () => this.loop(s, place)],
      [place.loops === 0 ? 4 : 0, () => this.cycle(s)],
      // in-process these work once only
      [place.loops === 0 ? 6 : 0, () => this.batch(s)],
      [place.loops === 0 ? 3 : 0, () => this.dynamic(s)],
    ];
    let at = this.random.int(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, build] of choices) if ((at -= weight) < 0) return build();
    return this.task(s);
  }

  private task(s: Sketch): Part {
    const { random } = s;
    const r = random.int(100);
    const only = (id: string): Part => ({ first: id, last: id });
    const tries = { config: { maxRetries: 3 } };
    if (r < 10) return only(s.node('t', 'flaky', { params: { fails: s.between(0, 2) }, ...tries }));
    if (r < 16) return only(s.node('t', 'Phases', { params: { fails: s.between(0, 1) }, config: { maxRetries: 2 } }));
    if (r < 20) return only(s.node('t', 'PhasesWithFallback', { params: { fails: s.between(0, 3) }, ...tries }));
    if (r < 23) return only(s.node('t', 'mix', { inputs: 'base' }));
    if (r < 30) {
      const key = s.name('key');
      const first = s.node('t', 'set', { params: { key, value: random.int(9) } });
      const middle = random.chance(0.3) ? s.node('t', 'forget', { params: { key } }) : first;
      const last = s.node('t', 'look', { params: { keys: [key, first, 'base'] } });
      if (middle !== first) s.edge(first, middle);
      s.edge(middle, last);
      return { first, last };
    }
    if (r < 33) {
      const first = s.node('t', random.chance(0.5) ? 'empty' : 'nothing');
      const last = s.node('t', 'mix');
      s.edge(first, last);
      return { first, last };
    }
    return only(s.node('t', 'mix'));
  }

  private sequence(s: Sketch, place: Place): Part {
    const first = this.part(s, place);
    let last = first;
    for (let i = s.between(1, 3); i > 0 && s.left > 0; i--) {
      const next = this.part(s, place);
      s.edge(last.last, next.first, someTransform(s.random, 0.25));
      last = next;
    }
    return { first: first.first, last: last.last };
  }

  private branches(s: Sketch, place: Place, count: number): Part[] {
    return Array.from({ length: count }, () => (s.random.chance(0.6) ? this.part(s, place) : this.task(s)));
  }

  private merge(s: Sketch, branches: readonly Part[], joinStrategy: 'all' | 'any'): string {
    const inputs = Object.fromEntries(branches.map(({ last }) => [last, last]));
    const join = s.node('j', 'mix', { inputs, config: { joinStrategy } });
    for (const { last } of branches) s.edge(last, join);
    return join;
  }

  private parallel(s: Sketch, place: Place): Part {
    const first = s.node('p', 'mix');
    const branches = this.branches(s, place, s.between(2, 4));
    for (const branch of branches) s.edge(first, branch.first, someTransform(s.random, 0.1));
    return { first, last: this.merge(s, branches, 'all') };
  }

  private choice(s: Sketch, place: Place): Part {
    const { random } = s;
    const names = ['x', 'y', 'z'].slice(0, s.between(2, 3));
    const byAction = random.chance(0.5);
    const last = names.length - 1;
    const isOpen = byAction && random.chance(0.4); // the last branch is the edge without action
    const actions = isOpen ? [...names.slice(0, -1), null] : names;
    const first = byAction ? s.node('c', 'choose', { params: { actions } }) : s.node('c', 'mix');
    const branches = this.branches(s, place, names.length);
    branches.forEach((branch, i) => {
      if (!byAction) s.edge(first, branch.first, { condition: `result.output % ${names.length} === ${i}` });
      else s.edge(first, branch.first, isOpen && i === last ? {} : { action: names[i] });
    });
    // an all join behind a choice never runs
    const starves = place.loops === 0 && random.chance(0.06);
    return { first, last: this.merge(s, branches, starves ? 'all' : 'any') };
  }

  /** A node that fails, or may fail, its fallback, and the node that both lead to. */
  private rescued(s: Sketch, place: Place): Part {
    const { random } = s;
    const fallback = s.name('f');
    const config = { fallback, maxRetries: s.between(1, 2) };
    const kind = random.int(10);
    const first =
      kind < 2 && place.subflows < DEEPEST_SUBFLOW
        ? this.subflow(s, place, { fallback }).first
        : s.node('x', kind < 6 ? 'failOnOdd' : 'fail', { config });
    const actions = random.chance(0.3) ? ['x', 'y'] : [];
    if (actions.length > 0) s.named(fallback, 'choose', { params: { actions }, inputs: `_inputs.${first}` });
    else s.named(fallback, random.chance(0.1) ? 'failOnOdd' : 'mix', { inputs: `_inputs.${first}` });
    if (actions.length === 0) {
      const last = s.node('t', 'look', { params: { keys: [first, fallback] } });
      s.edge(first, last);
      return { first, last };
    }
    const [left, right] = [this.task(s), this.task(s)];
    s.edge(first, left.first, { action: 'x' });
    s.edge(first, right.first, { action: 'y' });
    if (kind < 6) s.edge(first, left.first);
    return { first, last: this.merge(s, [left, right], 'any') };
  }

  private broken(s: Sketch): Part {
    const id = s.node('b', s.random.chance(0.3) ? 'fatal' : 'fail', { config: { maxRetries: s.between(1, 2) } });
    return { first: id, last: id };
  }

  private wait(s: Sketch): Part {
    const { random } = s;
    const output = random.chance(0.15) ? null : { given: random.int(100) };
    const hasAction = random.chance(0.4);
    const answer = { output, ...(hasAction ? { action: random.pick(['yes', 'no']) } : {}) };
    const first = s.node('w', 'wait', { params: { answer } });
    if (!hasAction) return { first, last: first };
    const [yes, no] = [this.task(s), this.task(s)];
    s.edge(first, yes.first, { action: 'yes' });
    s.edge(first, no.first, { action: 'no' });
    return { first, last: this.merge(s, [yes, no], 'any') };
  }

  private loop(s: Sketch, place: Place): Part {
    const loop = s.name('L');
    const key = `passes_${loop}`;
    const before = s.node('t', 'set', { params: { key, value: 0 } });
    const from = s.nodes.length;
    const first = s.node('t', 'increment', { params: { key } });
    let last: string = first;
    for (let i = s.between(0, 2); i > 0; i--) {
      const part = this.part(s, { ...place, loops: place.loops + 1 });
      s.edge(last, part.first);
      last = part.last;
    }
    const end = s.node('t', 'mix'); // so that one plain edge leads to the controller
    s.edge(last, end);
    const body = s.nodes.slice(from).map((n) => n.id);
    const condition = `${key} < ${s.between(1, 3)}`;
    s.named(loop, 'loop-controller', { params: { condition, body }, config: { joinStrategy: 'any' } });
    const after = s.node('t', 'mix', { inputs: end });
    s.edge(before, loop);
    s.edge(end, loop);
    s.edge(loop, first, { action: 'continue', transform: `context["${end}"]` });
    s.edge(loop, after, { action: 'break' }); // without it a loop never ends in-process
    return { first: before, last: after };
  }

  /** A cycle without controller: only `any` nodes run more than once. */
  private cycle(s: Sketch): Part {
    const any = { config: { joinStrategy: 'any' as const } };
    const before = s.node('t', 'mix');
    const around = Array.from({ length: s.between(1, 3) }, () => s.node('o', 'mix', any));
    const gate = s.node('o', 'turnstile', { params: { times: s.between(1, 3) }, ...any });
    const after = s.node('t', 'mix');
    const path = [before, ...around, gate];
    for (let i = 1; i < path.length; i++)
      s.edge(path[i - 1] as string, path[i] as string, someTransform(s.random, 0.1));
    s.edge(gate, around[0] as string, { action: 'again' });
    s.edge(gate, after, { action: 'on' });
    return { first: before, last: after };
  }

  private batch(s: Sketch): Part {
    const { random } = s;
    const id = s.name('B');
    const [scatter, gather, outputKey] = [`${id}_scatter`, `${id}_gather`, `results_${id}`];
    const first = s.node('i', 'items');
    const r = random.int(10);
    const workerUsesKey = r < 6 ? 'item' : r < 8 ? 'itemOrNothing' : r < 9 ? 'itemOrFailure' : 'PhasesWithFallback';
    s.named(scatter, 'batch-scatter', { inputs: first, params: { workerUsesKey, outputKey, gatherNodeId: gather } });
    s.named(gather, 'batch-gather', { params: { outputKey, gatherNodeId: gather }, config: { joinStrategy: 'all' } });
    const last = s.node('t', 'mix', { inputs: outputKey });
    s.edge(first, scatter);
    s.edge(scatter, gather);
    s.edge(gather, last);
    return { first, last };
  }

  private dynamic(s: Sketch): Part {
    const ids = Array.from({ length: s.between(1, 3) }, () => s.name('d'));
    const how = s.random.pick(['gathered', 'gathered', 'joined', 'free'] as const);
    const last = s.name('g');
    const first = s.node('n', 'spawn', { params: { ids, ...(how === 'gathered' ? { gather: last } : {}) } });
    s.named(last, 'mix', how === 'free' ? {} : { inputs: Object.fromEntries(ids.map((id) => [id, id])) });
    s.edge(first, last);
    // edges of nodes that the blueprint does not have
    if (how === 'joined') for (const id of ids) s.edge(id, last);
    return { first, last };
  }

  private subflow(s: Sketch, place: Place, config?: { fallback: string }): Part {
    const { random } = s;
    const key = s.name('sub');
    const inner = { loops: 0, subflows: place.subflows + 1 };
    const blueprint = this.blueprint(`${this.name}.${key}`, s.between(1, 5), inner);
    this.blueprints[key] = blueprint;
    const start = blueprint.nodes[0]?.id ?? '';
    const params = {
      blueprintId: blueprint.id,
      ...(random.chance(0.3) ? { inputs: { base: 'base', given: s.nodes[0]?.id ?? 'base' } } : {}),
      ...(random.chance(0.3) ? { outputs: { [`from_${key}`]: start } } : {}),
    };
    const retries = config === undefined && random.chance(0.2) ? { maxRetries: 2 } : undefined;
    const id = s.node('S', 'subflow', {
      params,
      ...((config ?? retries) ? { config: { ...config, ...retries } } : {}),
    });
    return { first: id, last: id };
  }
}
