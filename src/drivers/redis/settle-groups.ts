import { UnavailableError } from '../../core/errors.js';
import type { SettleAnswer, SettleRequest } from '../../core/ledger-calls.js';
import { endOfMoment } from '../system/moment.js';
import type { EncodedSettlement } from './encoded-settlement.js';

export interface Settle {
  readonly runId: string;
  readonly request: SettleRequest;
  readonly encoded: EncodedSettlement;
}

interface Group {
  readonly settles: Settle[];
  readonly answers: Promise<readonly (SettleAnswer | undefined)[]>;
}

/** Settles of the same moment that go as one script: of what a settle costs server and driver little is its own. */
export class SettleGroups {
  /** The last one of each name. */
  private readonly open = new Map<string, Group>();

  constructor(
    /** A script keeps all others waiting, and who comes first in a group waits for all of it. */
    private readonly most: number,
    /** Several as one; undefined for one that has to be settled by itself. */
    private readonly settleAll: (settles: readonly Settle[]) => Promise<readonly (SettleAnswer | undefined)[]>,
    private readonly settleOne: (settle: Settle) => Promise<SettleAnswer>,
  ) {}

  /** @param name only settles under the same name go together */
  async settle(name: string, settle: Settle): Promise<SettleAnswer> {
    let group = this.open.get(name);
    if (!group || group.settles.length >= this.most) group = this.begin(name);
    const { settles, answers } = group;
    const index = settles.push(settle) - 1;
    let answer: SettleAnswer | undefined;
    try {
      answer = (await answers)[index];
    } catch (error) {
      // what is refused for one has nothing to do with the others
      if (settles.length === 1 || error instanceof UnavailableError) throw error;
    }
    return answer ?? this.settleOne(settle);
  }

  private begin(name: string): Group {
    const settles: Settle[] = [];
    const answers = endOfMoment().then(() => {
      if (this.open.get(name) === group) this.open.delete(name);
      return settles.length === 1 ? [undefined] : this.settleAll(settles);
    });
    const group: Group = { settles, answers };
    this.open.set(name, group);
    return group;
  }
}
