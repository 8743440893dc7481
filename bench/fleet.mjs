/** The worker processes of one system. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export class Fleet {
  #children = [];
  #asked = 0;

  static async start(system, config, { workers = 1, execArgv = [] } = {}) {
    const fleet = new Fleet();
    await Promise.all(Array.from({ length: workers }, () => fleet.#add(system, config, execArgv)));
    return fleet;
  }

  async #add(system, config, execArgv) {
    const file = path.join(import.meta.dirname, 'worker.mjs');
    const child = fork(file, [system, JSON.stringify(config)], {
      // with the options of Node that the client has
      execArgv: [...process.execArgv, ...execArgv],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#children.push(child);
    child.setMaxListeners(0);
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`A worker of '${system}' ended with code ${code} before it was ready.`);
    });
    failed.catch(() => undefined);
    await Promise.race([once(child, 'message'), failed]);
  }

  get pids() {
    return this.#children.map((child) => child.pid);
  }

  /** Asks every worker; answers in their order. */
  ask(command) {
    return Promise.all(this.#children.map((child) => this.#askOne(child, command)));
  }

  #askOne(child, command, argument) {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      const listen = (message) => {
        if (message.id !== id) return;
        child.off('message', listen);
        child.off('exit', gone);
        resolve(message.answer);
      };
      const gone = (code, signal) =>
        reject(new Error(`A worker ended (${signal ?? code}) instead of answering '${command}'.`));
      child.on('message', listen);
      child.once('exit', gone);
      child.send({ id, command, argument });
    });
  }

  /** Has the only worker do something. */
  call(command, argument) {
    return this.#askOne(this.#children[0], command, argument);
  }

  /** What all workers executed since the last call. */
  async stamps() {
    const runs = new Map();
    let executed = 0;
    for (const answer of await this.ask('stamps')) {
      executed += answer.executed;
      for (const [runId, [first, last]] of answer.runs) {
        const other = runs.get(runId);
        runs.set(runId, other ? [Math.min(first, other[0]), Math.max(last, other[1])] : [first, last]);
      }
    }
    return { executed, runs };
  }

  /** CPU microseconds of all workers. */
  async cpu() {
    return (await this.ask('usage')).reduce((sum, { cpu }) => sum + cpu.user + cpu.system, 0);
  }

  async stop() {
    const ended = this.#children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined));
    for (const child of this.#children) if (child.connected) child.send({ id: 0, command: 'stop' });
    await Promise.all(ended);
  }
}
