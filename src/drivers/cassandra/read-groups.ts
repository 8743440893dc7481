import type { types } from 'cassandra-driver';

/** Some servers refuse a longer list. */
export const IN_LIMIT = 25;

interface Group<K> {
  readonly keys: K[];
  readonly rows: Promise<readonly types.Row[]>;
  readonly close: () => void;
}

/**
 * Reads of rows of one partition that are asked for in the same moment go as one: where messages of a run come in a
 * burst, as those of a batch do, each asks for its own turn and its own input. See `WriteGroups` for what a moment is.
 */
export class ReadGroups<K> {
  private readonly open = new Map<string, Group<K>>();

  /** @param read reads the rows of up to `IN_LIMIT` keys, of which some may be the same */
  constructor(private readonly read: (partition: string, keys: readonly K[]) => Promise<readonly types.Row[]>) {}

  /** The rows of at most `IN_LIMIT` keys, and of others: the caller takes its own. */
  ask(partition: string, keys: readonly K[]): Promise<readonly types.Row[]> {
    let group = this.open.get(partition);
    if (group && group.keys.length + keys.length > IN_LIMIT) {
      group.close();
      group = undefined;
    }
    group ??= this.begin(partition);
    group.keys.push(...keys);
    return group.rows;
  }

  private begin(partition: string): Group<K> {
    const keys: K[] = [];
    let close = () => {};
    const closed = new Promise<void>((resolve) => (close = resolve));
    const group: Group<K> = {
      keys,
      rows: closed.then(() => {
        if (this.open.get(partition) === group) this.open.delete(partition);
        return this.read(partition, keys);
      }),
      close,
    };
    this.open.set(partition, group);
    process.nextTick(close);
    return group;
  }
}
