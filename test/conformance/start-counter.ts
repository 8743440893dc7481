import type { FlowcraftEvent } from 'flowcraft';
import type { Case } from './corpus.js';

/** Counts how often each node started, by the events of an event bus. */
export class StartCounter {
  private readonly runs = new Map<string, Map<string, number>>();

  emit(event: FlowcraftEvent): void {
    if (event.type !== 'node:start') return;
    const { executionId, blueprintId, nodeId } = event.payload;
    const counts = this.runs.get(executionId) ?? new Map<string, number>();
    this.runs.set(executionId, counts);
    const key = `${blueprintId}\n${nodeId}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }

  /** By node id; those of a subflow as `<key of its blueprint>/<node id>`. */
  of(kase: Pick<Case, 'blueprints'>, runId: string): Record<string, number> {
    const keys = new Map(Object.entries(kase.blueprints).map(([key, b]) => [b.id, key]));
    const executed: Record<string, number> = {};
    for (const [name, count] of this.runs.get(runId) ?? []) {
      const [blueprintId = '', nodeId = ''] = name.split('\n');
      const key = keys.get(blueprintId) ?? blueprintId;
      executed[key === 'main' ? nodeId : `${key}/${nodeId}`] = count;
    }
    return executed;
  }
}
