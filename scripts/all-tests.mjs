// Runs every jest project, one after the other, and adds up the results. A skipped test counts as a failure: it would
// hide one.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PROJECTS = [
  ['unit'],
  ['conformance'],
  ['simulation'],
  // two files of much work
  ['differential', '--maxWorkers=2'],
  // the servers are shared, so one file at a time
  ['e2e', '--runInBand'],
];
/** Tests that leave something open keep their process from ending. */
const EXIT_WITHIN_MS = 60_000;
const results = '.ci-results';
rmSync(results, { recursive: true, force: true });
mkdirSync(results);

let passed = 0;
let failed = 0;
for (const [project, ...flags] of PROJECTS) {
  const file = `${results}/${project}.json`;
  const args = ['scripts/jest.mjs', '--selectProjects', project, ...flags, '--json', `--outputFile=${file}`];
  const status = await run(args, file);
  const report = read(file);
  if (!report) {
    console.error(`The project '${project}' gave no report (exit status ${status}).`);
    failed++;
    continue;
  }
  passed += report.numPassedTests;
  failed += report.numFailedTests + report.numRuntimeErrorTestSuites;
  const left = report.numPendingTests + report.numTodoTests;
  if (left > 0) {
    failed += left;
    console.error(`${left} test(s) of the project '${project}' were skipped. Run or remove them.`);
  }
  if (report.numTotalTests === 0) {
    failed++;
    console.error(`The project '${project}' has no tests.`);
  } else if (status !== 0 && report.success) {
    failed++;
    console.error(`The project '${project}' ended with exit status ${status}, although its tests passed.`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

/** Answers the exit status. Ends a process that does not end by itself after it has written its report. */
async function run(args, file) {
  // jest prints the JSON to stdout as well; its report goes to stderr
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  const kill = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error; // it has ended meanwhile
    }
  };
  process.on('SIGTERM', kill).on('SIGINT', kill);
  let status;
  const ended = new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve((status = code ?? signal)));
  });
  while (status === undefined && !existsSync(file)) await Promise.race([ended, sleep(1000, undefined, { ref: false })]);
  await Promise.race([ended, sleep(EXIT_WITHIN_MS, undefined, { ref: false })]);
  process.off('SIGTERM', kill).off('SIGINT', kill);
  if (status !== undefined) return status;
  child.kill('SIGWINCH');
  await sleep(2000);
  kill();
  const killed = await ended;
  console.error(
    `The process of ${path.basename(file, '.json')} had written its report and did not end; what was open is said above.`,
  );
  return killed;
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    console.error(`No readable report ${file}: ${error.message}`);
    return undefined;
  }
}
