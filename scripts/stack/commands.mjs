/** What the commands of the stack do, for the command line and for tests that need to restart a server. */
import { forgetMode, openStack, recordMode } from './engine.mjs';
import { withLock } from './lock.mjs';
import { progress, result, seconds } from './output.mjs';
import { connectionLines, SERVER_NAMES } from './settings.mjs';

/** Starts what does not run. Data from earlier runs is kept. */
export function up(settings) {
  return changing(settings, async (stack) => {
    const startedAt = Date.now();
    recordMode(settings, stack.mode);
    await stack.start(SERVER_NAMES);
    progress(`stack is up (${stack.mode}) after ${seconds(startedAt)}`);
    for (const line of connectionLines(settings)) result(line);
  });
}

/** Stops all servers and keeps their data. */
export function down(settings) {
  return changing(settings, (stack) => stack.stop(SERVER_NAMES));
}

/** Stops all servers and removes their data; what was downloaded stays. */
export function reset(settings) {
  return changing(settings, async (stack) => {
    await stack.stop(SERVER_NAMES);
    await stack.clearData();
    forgetMode(settings);
  });
}

export function startServer(settings, name) {
  return changing(settings, async (stack) => {
    recordMode(settings, stack.mode);
    await stack.start([name]);
  });
}

export function stopServer(settings, name, { kill = false } = {}) {
  return changing(settings, (stack) => stack.stop([name], { kill }));
}

export function restartServer(settings, name, { kill = false } = {}) {
  return changing(settings, async (stack) => {
    await stack.stop([name], { kill });
    await stack.start([name]);
  });
}

/** Prints a table and returns whether every server is up. */
export async function status(settings) {
  const stack = await openStack(settings);
  const rows = await stack.status();
  const header = ['SERVER', 'STATE', stack.mode === 'docker' ? 'CONTAINER' : 'PROCESS', 'PORT'];
  const table = [header, ...rows.map((row) => [row.name, row.state, row.process, String(row.port)])];
  const widths = header.map((_, column) => Math.max(...table.map((cells) => cells[column].length)));
  for (const cells of table) {
    result(
      cells
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
  }
  return rows.every((row) => row.up);
}

function changing(settings, task) {
  return withLock(settings.dir, async () => task(await openStack(settings)));
}
