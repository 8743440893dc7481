// Starts the compiled simulation in processes of its own.
import { spawn } from 'node:child_process';
import { compileSimulation } from './compile-simulation.mjs';

let compiled;

/** Runs the seeds from `from` to `to`, in `processes` processes; answers what they add up to. */
export async function simulate(from, to, { processes = 2, ...options } = {}) {
  const parts = await Promise.all(
    Array.from({ length: processes }, (_, i) => run({ from: from + i, to, step: processes, ...options })),
  );
  return totalOf(parts);
}

/** Runs seeds until one of them fails. Answers that failure, or undefined if none of them does. */
export async function firstFailure(from, to, { processes = 2, ...options } = {}) {
  const found = new AbortController();
  const parts = Array.from({ length: processes }, async (_, i) => {
    const task = { from: from + i, to, step: processes, untilFailure: true, ...options };
    const out = await run(task, found.signal);
    const failure = out && totalOf([out]).failures[0];
    if (failure) found.abort();
    return failure;
  });
  return (await Promise.all(parts)).find(Boolean);
}

function totalOf(parts) {
  const totals = parts.map((part) => JSON.parse(part.trimEnd().split('\n').at(-1)));
  const sum = totals.reduce((a, b) => add(a, b));
  sum.failures.sort((a, b) => a.seed - b.seed);
  return sum;
}

/** Runs one seed and prints all that happens. Answers the exit status. */
export async function trace(seed, options = {}) {
  const out = await run({ from: seed, to: seed, trace: true, ...options });
  const lines = out.trimEnd().split('\n');
  console.log(lines.slice(0, -1).join('\n'));
  const { failures } = JSON.parse(lines.at(-1));
  for (const violation of failures[0]?.violations ?? []) console.log(`violation: ${violation}`);
  console.log(`seed ${seed}: ${failures.length === 0 ? 'nothing wrong' : 'VIOLATED'}`);
  return failures.length === 0 ? 0 : 1;
}

/** What the process printed; undefined if `signal` ended it. */
async function run(task, signal) {
  compiled ??= compileSimulation();
  const folder = await compiled;
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', `${folder}/test/simulation/main.js`, JSON.stringify(task)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  const status = await new Promise((resolve) => child.on('close', resolve));
  if (signal?.aborted && status !== 0) return undefined;
  if (status !== 0) throw new Error(`The simulation ended with exit status ${status}:\n${out.slice(-2000)}`);
  return out;
}

function add(a, b) {
  if (typeof a === 'number') return a + b;
  if (Array.isArray(a)) return [...a, ...b];
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...keys].map((k) => [k, k in a && k in b ? add(a[k], b[k]) : (a[k] ?? b[k])]));
}
