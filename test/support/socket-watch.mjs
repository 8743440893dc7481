import { TestEnvironment } from 'jest-environment-node';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a test file closes may take a moment, above all where a server has been killed. */
const WITHIN_MS = 15_000;

/** Sockets that are open, connecting or listening. */
const count = () => process.getActiveResourcesInfo().filter((resource) => resource.startsWith('TCP')).length;

/** Says which test file has left a socket open: it would keep the process from ending, long after the file is forgotten. */
export default class SocketWatch extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.testPath = context.testPath;
    this.before = count();
  }

  async teardown() {
    for (const end = Date.now() + WITHIN_MS; count() > this.before && Date.now() < end;) await sleep(100);
    if (count() > this.before) {
      console.error(`${this.testPath} has left ${count() - this.before} socket(s) open:`);
      process.emit('SIGWINCH'); // says which
    }
    await super.teardown();
  }
}
