/** What nodes do, in every system, and when they did it. */
import { setTimeout as sleep } from 'node:timers/promises';

const texts = new Map();

/** First and last execution of each run, in milliseconds since 1970 with fractions, and how many nodes were executed. */
export class Stamps {
  runs = new Map();
  executed = 0;

  take(runId) {
    const at = performance.timeOrigin + performance.now();
    this.executed++;
    const run = this.runs.get(runId);
    if (run) run[1] = at;
    else this.runs.set(runId, [at, at]);
  }

  clear() {
    const taken = { executed: this.executed, runs: [...this.runs] };
    this.runs = new Map();
    this.executed = 0;
    return taken;
  }
}

export async function work(kind, { ms, bytes } = {}) {
  if (kind === 'delay') await sleep(ms);
  if (kind !== 'bytes') return 1;
  let text = texts.get(bytes);
  if (!text) texts.set(bytes, (text = 'x'.repeat(bytes)));
  return text;
}

/** flowcraft's registry. `runIdOf` finds the run in what the system gives to nodes. */
export function registryOf(stamps, runIdOf = (context) => context.dependencies.turn?.runId ?? '') {
  const node = (kind, params) => async (context) => {
    stamps.take(runIdOf(context));
    return { output: await work(kind, params ?? context.params) };
  };
  // not `wait`, which is a node of flowcraft's own
  return { noop: node('noop'), delay: node('delay'), bytes: node('bytes'), delay500: node('delay', { ms: 500 }) };
}
