import { charactersIn, newest } from '../../core/given-values.js';
import type { StoredValue } from '../../ports/run-store.js';
import type { CassandraJournal } from './cassandra-journal.js';
import type { CassandraValues } from './cassandra-values.js';

/** What the keys of a run's context hold: values of their own, and outputs that rows of the journal give to them. */
export class CassandraContextRows {
  constructor(
    private readonly values: CassandraValues,
    private readonly journal: CassandraJournal,
  ) {}

  async some(runId: string, keys: readonly string[], givers: readonly string[]): Promise<StoredValue[]> {
    const [own, given] = await Promise.all([this.values.some(runId, keys), this.journal.given(runId, givers)]);
    return newest(
      own,
      given.filter(({ key }) => keys.includes(key)),
    );
  }

  async all(runId: string): Promise<StoredValue[]>;
  async all(runId: string, most: number | undefined): Promise<StoredValue[] | undefined>;
  /** Undefined, and not all is read, if the values have more characters than `most`. */
  async all(runId: string, most = Infinity): Promise<StoredValue[] | undefined> {
    const [own, given] = await Promise.all([this.values.all(runId, most), this.journal.allGiven(runId, most)]);
    const all = own && given && newest(own, given);
    return all && charactersIn(all) <= most ? all : undefined;
  }
}
