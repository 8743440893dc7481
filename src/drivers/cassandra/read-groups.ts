import type { types } from 'cassandra-driver';
import { UnavailableError } from '../../core/errors.js';
import { endOfMoment } from '../system/moment.js';

/** Some servers refuse a longer list. */
export const IN_LIMIT = 25;

interface Group<K> {
  readonly keys: K[];
  asked: number;
  readonly rows: Promise<readonly types.Row[]>;
}

/**
 * Reads of rows of one partition that are asked for in the same moment go as one: where messages of a run come in a
 * burst, as those of a batch do, each asks for its own turn and its own input.
 */
export class ReadGroups<K> {
  /** The last one of each partition. */
  private readonly open = new Map<string, Group<K>>();

  /** @param read reads the rows of up to `IN_LIMIT` keys, of which some may be the same */
  constructor(private readonly read: (partition: string, keys: readonly K[]) => Promise<readonly types.Row[]>) {}

  /**
   * The rows of at most `IN_LIMIT` keys, and of others: the caller takes its own.
   * @throws what `read` throws for these keys
   */
  async ask(partition: string, keys: readonly K[]): Promise<readonly types.Row[]> {
    let group = this.open.get(partition);
    if (!group || group.keys.length + keys.length > IN_LIMIT) group = this.begin(partition);
    group.keys.push(...keys);
    group.asked++;
    try {
      return await group.rows;
    } catch (error) {
      // what is refused for one has nothing to do with the others
      if (group.asked === 1 || error instanceof UnavailableError) throw error;
      return this.read(partition, keys);
    }
  }

  private begin(partition: string): Group<K> {
    const keys: K[] = [];
    const rows = endOfMoment().then(() => {
      if (this.open.get(partition) === group) this.open.delete(partition);
      return this.read(partition, keys);
    });
    const group: Group<K> = { keys, asked: 0, rows };
    this.open.set(partition, group);
    return group;
  }
}
