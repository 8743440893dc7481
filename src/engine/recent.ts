/**
 * What was noted lately by name: at least so many. Two halves, of which the older one is dropped as a whole: a hop notes
 * something, and moving one at a time out of a full list costs more than all else here.
 */
export class Recent<T> {
  private newer = new Map<string, T>();
  private older = new Map<string, T>();

  constructor(private readonly most: number) {}

  note(name: string, what: T): void {
    if (this.newer.size >= this.most / 2) {
      this.older = this.newer;
      this.newer = new Map();
    }
    this.newer.set(name, what);
  }

  get(name: string): T | undefined {
    return this.newer.get(name) ?? this.older.get(name);
  }
}
