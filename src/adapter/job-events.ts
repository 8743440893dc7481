import type { FlowcraftEvent, IEventBus } from 'flowcraft';
import type { FlowcraftRuntime } from '../engine/flowcraft-runtime.js';
import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';

const STARTS_KEPT = 10_000;

/** Tells an adapter's event bus of `job:processed` and `job:failed`, as flowcraft's adapters do. */
export class JobEvents {
  private readonly starts = new Map<string, number>();

  constructor(
    private readonly bus: IEventBus,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  observe(flowcraft: FlowcraftRuntime): void {
    flowcraft.on((event) => this.take(event));
  }

  private take(event: FlowcraftEvent): void {
    if (event.type !== 'node:start' && event.type !== 'node:finish' && event.type !== 'node:error') return;
    const { executionId: runId, blueprintId, nodeId } = event.payload;
    const key = `${runId}\u001f${nodeId}`;
    if (event.type === 'node:start') {
      this.starts.set(key, this.clock.now());
      // a node that never ends must not be remembered for ever
      for (const oldest of this.starts.keys()) {
        if (this.starts.size <= STARTS_KEPT) break;
        this.starts.delete(oldest);
      }
      return;
    }
    const duration = this.clock.now() - (this.starts.get(key) ?? this.clock.now());
    this.starts.delete(key);
    const job = { runId, blueprintId, nodeId };
    this.emit(
      event.type === 'node:finish'
        ? { type: 'job:processed', payload: { ...job, duration, success: true } }
        : { type: 'job:failed', payload: { ...job, error: event.payload.error } },
    );
  }

  private emit(event: FlowcraftEvent): void {
    const failed = (error: unknown) =>
      this.logger.error(`The event bus failed for '${event.type}'; the run goes on.`, { error });
    try {
      Promise.resolve(this.bus.emit(event)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}
