import { UnavailableError } from '../../core/errors.js';
import type { Statement } from './cassandra-session.js';
import { endOfMoment, endOfRound } from '../system/moment.js';

/** More statements or characters go as a mutation of their own: large ones keep a server from others. */
const MOST_STATEMENTS = 100;
const MOST_CHARACTERS = 64_000;

interface Group {
  readonly writes: (readonly Statement[])[];
  statements: number;
  characters: number;
  /** Of all writes together. */
  readonly end: Promise<void>;
}

/**
 * Writes to one partition that are made in the same moment go as one mutation: parallel branches of a run often settle
 * together, and a mutation costs the server more than what is in it. While one is under way more of its partition are
 * likely, from other timers and sockets: the next one waits for these, too.
 */
export class WriteGroups {
  /** The last one of each partition. */
  private readonly open = new Map<string, Group>();
  /** How many of each partition have no answer yet. */
  private readonly underWay = new Map<string, number>();

  constructor(private readonly write: (statements: readonly Statement[], partition: string) => Promise<unknown>) {}

  /** @throws what `write` throws for these statements */
  add(partition: string, statements: readonly Statement[]): Promise<void> {
    const characters = charactersIn(statements);
    let group = this.open.get(partition);
    if (
      !group ||
      group.statements + statements.length > MOST_STATEMENTS ||
      group.characters + characters > MOST_CHARACTERS
    )
      group = this.begin(partition);
    group.writes.push(statements);
    group.statements += statements.length;
    group.characters += characters;
    const { writes, end } = group;
    return end.catch(async (error: unknown) => {
      // what is refused for one has nothing to do with the others
      if (writes.length === 1 || error instanceof UnavailableError) throw error;
      await this.write(statements, partition);
    });
  }

  private begin(partition: string): Group {
    const writes: (readonly Statement[])[] = [];
    const gathered = this.underWay.has(partition) ? endOfRound() : endOfMoment();
    const group: Group = { writes, statements: 0, characters: 0, end: this.flush(partition, gathered, writes) };
    this.open.set(partition, group);
    return group;
  }

  private async flush(
    partition: string,
    gathered: Promise<void>,
    writes: readonly (readonly Statement[])[],
  ): Promise<void> {
    this.count(partition, 1);
    try {
      await gathered;
      if (this.open.get(partition)?.writes === writes) this.open.delete(partition);
      await this.write(writes.length === 1 ? (writes[0] ?? []) : writes.flat(), partition);
    } finally {
      this.count(partition, -1);
    }
  }

  private count(partition: string, by: number): void {
    const count = (this.underWay.get(partition) ?? 0) + by;
    if (count > 0) this.underWay.set(partition, count);
    else this.underWay.delete(partition);
  }
}

function charactersIn(statements: readonly Statement[]): number {
  let sum = 0;
  for (const { params } of statements) for (const param of params) if (typeof param === 'string') sum += param.length;
  return sum;
}
