import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

const PROGRAM = path.resolve(import.meta.dirname, '../../../scripts/secured/servers.mjs');

export interface Account {
  readonly username: string;
  readonly password: string;
}

/** An account that may do everything, and that of the application, which may do nothing yet. */
export interface Accounts {
  readonly admin: Account;
  readonly app: Account;
}

/** Where the servers of `scripts/secured` are. */
export interface SecuredPlaces {
  readonly host: string;
  readonly ports: { readonly kafka: number; readonly cassandra: number; readonly redis: number };
  readonly dataCentre: string;
  readonly accounts: { readonly kafka: Accounts; readonly cassandra: Accounts; readonly redis: Accounts };
  /** The certificate of the authority that all servers' certificates are of. */
  readonly ca: string;
}

/** Kafka, Cassandra and Redis with TLS, accounts and rights, for one test file. */
export class SecuredServers {
  private constructor(
    private readonly process: ChildProcess,
    readonly places: SecuredPlaces,
  ) {}

  static async start(): Promise<SecuredServers> {
    const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
    const problems = text(child.stderr);
    for await (const line of createInterface(child.stdout))
      return new SecuredServers(child, JSON.parse(line) as SecuredPlaces);
    throw new Error(`The secured servers did not start:\n${await problems}`);
  }

  async stop(): Promise<void> {
    const exit = once(this.process, 'exit');
    this.process.stdin?.end();
    await exit;
  }
}
