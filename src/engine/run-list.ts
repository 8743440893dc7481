import { isEndStatus, type RunStatus } from '../core/run.js';
import type { Clock } from '../ports/clock.js';
import type { RunStore } from '../ports/run-store.js';
import { parentOf, type RunParent } from './run-parent.js';

export interface RunSummary {
  readonly runId: string;
  readonly blueprintId: string;
  readonly blueprintVersion: string | null;
  /** The node that this run is the subflow of; absent: it was started by itself. */
  readonly parent?: RunParent;
  readonly status: RunStatus;
  readonly tags: readonly string[];
  /** ISO 8601. */
  readonly createdAt: string;
}

export interface ListOptions {
  readonly status?: RunStatus;
  /** As `start` was given it: a blueprint that is registered under a key other than its id has two of them. */
  readonly blueprintId?: string;
  readonly tag?: string;
  /** Time of acceptance; default: 24 hours before `to`. Runs that are older are not in the list. */
  readonly from?: Date;
  /** Default: now. */
  readonly to?: Date;
  /** 1 to 1000; default 100. */
  readonly limit?: number;
  readonly cursor?: string;
}

export interface RunPage {
  readonly runs: RunSummary[];
  /** Where to read on; absent on the last page. */
  readonly cursor?: string;
}

const DAY_MS = 24 * 3_600_000;
const DEFAULT_LIMIT = 100;

/** Runs by the time of their acceptance. */
export class RunList {
  constructor(
    private readonly store: RunStore,
    private readonly clock: Clock,
  ) {}

  async page(options: ListOptions): Promise<RunPage> {
    const limit = options.limit ?? DEFAULT_LIMIT;
    const now = this.clock.now();
    // the clocks of those who accepted runs may be ahead of this one
    const to = options.to?.getTime() ?? now + DAY_MS;
    const from = options.from?.getTime() ?? Math.min(to, now) - DAY_MS;
    const runs: RunSummary[] = [];
    let { cursor } = options;
    do {
      const page = await this.store.list({
        from,
        to,
        limit: limit - runs.length,
        ...(cursor === undefined ? {} : { cursor }),
      });
      cursor = page.cursor;
      const found = await Promise.all(page.runIds.map((runId) => this.summary(runId)));
      runs.push(...found.filter((s) => s !== undefined).filter((s) => matches(s, options)));
    } while (cursor !== undefined && runs.length < limit);
    return { runs, ...(cursor === undefined ? {} : { cursor }) };
  }

  private async summary(runId: string): Promise<RunSummary | undefined> {
    const [run, row] = await Promise.all([this.store.run(runId), this.store.status(runId)]);
    if (!run) return undefined;
    const status = isEndStatus(run.status) ? run.status : row?.status === 'awaiting' ? 'awaiting' : 'running';
    return {
      runId,
      blueprintId: run.blueprintId,
      blueprintVersion: run.blueprintVersion,
      ...parentOf(run),
      status,
      tags: run.tags,
      createdAt: new Date(run.createdAt).toISOString(),
    };
  }
}

function matches(run: RunSummary, { status, blueprintId, tag }: ListOptions): boolean {
  return (
    (status === undefined || run.status === status) &&
    (blueprintId === undefined || run.blueprintId === blueprintId) &&
    (tag === undefined || run.tags.includes(tag))
  );
}
