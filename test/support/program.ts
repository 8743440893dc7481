import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const LOADER = path.resolve(import.meta.dirname, 'typescript.mjs');

/** A TypeScript program in a process of its own, and what it has written. */
export class Program {
  stdout = '';
  stderr = '';
  readonly exit: Promise<number | null>;
  private readonly waiting = new Set<() => void>();

  private constructor(readonly child: ChildProcessWithoutNullStreams) {
    const note = (name: 'stdout' | 'stderr') => (chunk: Buffer) => {
      this[name] += chunk.toString();
      for (const look of this.waiting) look();
    };
    child.stdout.on('data', note('stdout'));
    child.stderr.on('data', note('stderr'));
    this.exit = once(child, 'close').then(([code]) => {
      for (const look of this.waiting) look();
      return code as number | null;
    });
  }

  static start(file: string, env: Record<string, string>, args: readonly string[] = []): Program {
    const child = spawn(process.execPath, ['--import', LOADER, file, ...args], { env: { ...process.env, ...env } });
    return new Program(child);
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  /** Resolves with the match once the program has written it; rejects if it ends first or takes longer. */
  async writes(pattern: RegExp, withinMs = 60_000): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const failed = (why: string) =>
        reject(new Error(`The program ${why} before ${String(pattern)}:\n${this.output}`));
      const timer = setTimeout(() => failed(`took ${withinMs} ms`), withinMs);
      const look = () => {
        const match = pattern.exec(this.output);
        if (match) resolve(match);
        else if (this.child.exitCode !== null) failed(`ended with ${this.child.exitCode}`);
        else return;
        clearTimeout(timer);
        this.waiting.delete(look);
      };
      this.waiting.add(look);
      look();
    });
  }

  async kill(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.exit;
  }
}
