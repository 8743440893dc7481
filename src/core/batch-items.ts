import { field, SEP, type LedgerFields } from './ledger-fields.js';

/** What the ledger is told of a batch when its scatter settles. */
export interface BatchStart {
  /** What the ids of its workers begin with. */
  readonly prefix: string;
  readonly items: number;
  readonly chunk: number;
  readonly window: number;
  /** Failed items count as completed: what gathers them takes what there is. */
  readonly lenient?: true;
}

/** Of a batch, as the ledger holds it: which items have become ready, and how many of them have completed. */
export class BatchItems {
  private readonly head: readonly string[];

  constructor(
    private readonly ledger: LedgerFields,
    private readonly prefix: string,
  ) {
    this.head = (ledger.get(field('z', prefix)) ?? '').split(SEP);
  }

  /** Notes a new batch; not if it has begun before. */
  static begin(
    ledger: LedgerFields,
    { prefix, items, chunk, window, lenient }: BatchStart,
    from: { node: string; turn: string; gather?: string | undefined; round: number },
  ): BatchItems {
    const name = field('z', prefix);
    if (ledger.get(name) === undefined) {
      const { node, turn, gather = '', round } = from;
      ledger.set(name, [node, turn, gather, items, chunk, window, round, lenient ? 1 : 0].join(SEP));
      ledger.set(field('f', prefix), String(Math.min(items, chunk, window)));
      if (gather !== '') ledger.add(field('m', gather), items);
    }
    return new BatchItems(ledger, prefix);
  }

  get exists(): boolean {
    return this.head.length > 1;
  }

  /** Of the scatter, and so of the workers. */
  get turn(): string {
    return this.head[1] ?? '';
  }

  get round(): number {
    return this.number(6);
  }

  /** How many items become ready with the batch. */
  get first(): number {
    return Math.min(this.number(3), this.number(4), this.number(5));
  }

  /** Counts an item that has ended; answers how many may become ready in its place. */
  end(completed: boolean): number {
    if (!completed && this.number(7) === 0) return 1;
    const count = this.ledger.add(field('c', this.prefix), 1);
    return count % this.number(4) === 0 && count < this.number(3) ? this.number(5) : 1;
  }

  /** The next items to become ready: at most so many, and none of a chunk whose turn has not come. */
  take(count: number): { readonly from: number; readonly to: number } {
    const name = field('f', this.prefix);
    const [from, chunk] = [Number(this.ledger.get(name) ?? 0), this.number(4)];
    const completed = Number(this.ledger.get(field('c', this.prefix)) ?? 0);
    const limit = Math.min(this.number(3), chunk * (Math.floor(completed / chunk) + 1));
    const to = Math.min(from + count, limit);
    if (to <= from) return { from, to: from };
    this.ledger.set(name, String(to));
    return { from, to };
  }

  private number(part: number): number {
    return Number(this.head[part] ?? 0);
  }
}
