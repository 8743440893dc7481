import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiled or not, as this file is. */
const WORKER = fileURLToPath(new URL(`../worker${extname(import.meta.url)}`, import.meta.url));

/** Worker processes of the demo. */
export class WorkerProcesses {
  private constructor(private readonly children: readonly ChildProcess[]) {}

  /** Resolves when all of them take jobs. */
  static async start(count: number): Promise<WorkerProcesses> {
    const children = Array.from({ length: count }, () =>
      fork(WORKER, { env: { ...process.env, FLOWCRAFT_WORKER: '1' } }),
    );
    await Promise.all(children.map((child) => ready(child)));
    return new WorkerProcesses(children);
  }

  get ids(): number[] {
    return this.children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  /** Asks them to stop, as an orchestrator would; they drain first. */
  async stop(): Promise<void> {
    const running = this.children.filter((child) => child.exitCode === null && child.signalCode === null);
    const ends = running.map((child) => once(child, 'exit'));
    for (const child of running) child.kill('SIGTERM');
    await Promise.all(ends);
  }
}

async function ready(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`A worker process ended with code ${String(code)} before it was ready.`);
  });
  await Promise.race([once(child, 'message'), ended]);
}
