import type { Clock } from '../ports/clock.js';

/**
 * Names of what happened lately: at least so many, unless they are older than `ms`. Two halves, of which the older one is
 * dropped as a whole: a hop notes a name, and moving one at a time out of a full list costs more than all else here.
 */
export class Recent {
  private newer = new Map<string, number>();
  private older = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly ms: number,
    private readonly most: number,
  ) {}

  note(name: string): void {
    if (this.newer.size >= this.most / 2) {
      this.older = this.newer;
      this.newer = new Map();
    }
    this.newer.set(name, this.clock.now());
  }

  has(name: string): boolean {
    const at = this.newer.get(name) ?? this.older.get(name);
    return at !== undefined && this.clock.now() - at < this.ms;
  }
}
