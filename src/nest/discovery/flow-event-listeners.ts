import { isEndStatus } from '../../core/run.js';
import type { Engine } from '../../engine/engine.js';
import type { Logger } from '../../ports/logger.js';
import {
  FLOW_EVENT,
  FLOW_EVENT_NAMES,
  type FlowEventName,
  type FlowEventPayloads,
} from '../decorators/on-flow-event.decorator.js';
import { marksOf } from '../decorators/marks.js';
import type { OptionProblem } from '../options-check.js';
import type { Candidate } from './candidates.js';

interface Listener {
  readonly instance: object;
  readonly member: string | symbol;
  readonly source: string;
}

/** Calls the `@OnFlowEvent` methods of the application. */
export class FlowEventListeners {
  private readonly listeners = new Map<string, Listener[]>();

  constructor(
    candidates: readonly Candidate[],
    problems: OptionProblem[],
    private readonly logger: Logger,
  ) {
    for (const candidate of candidates) {
      for (const { value: event, member } of marksOf<FlowEventName>(FLOW_EVENT, candidate.type)) {
        if (member === undefined) continue;
        const source = `${candidate.name}.${String(member)}`;
        const wrong = nameProblem(event, source);
        if (wrong) problems.push(wrong);
        else if (candidate.instance) this.add(event, { instance: candidate.instance, member, source });
        else
          problems.push({
            path: `@OnFlowEvent('${event}')`,
            message: `${source} belongs to a provider that is no singleton; make it one`,
          });
      }
    }
  }

  /** The returned function ends it. */
  listenTo(engine: Engine): () => void {
    if (this.listeners.size === 0) return () => undefined;
    const ends = [
      engine.flowcraft.on(({ type, payload }) => this.tell(type as FlowEventName, payload)),
      engine.finisher.onStatus(({ runId, plan }, status, errors) => {
        if (isEndStatus(status)) this.tell('run:finished', { runId, blueprintId: plan.id, status, errors });
        else if (status === 'awaiting') this.tell('run:awaiting', { runId, blueprintId: plan.id });
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  private add(event: string, listener: Listener): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
  }

  private tell<E extends FlowEventName>(event: E, payload: FlowEventPayloads[E]): void {
    for (const listener of this.listeners.get(event) ?? []) void this.call(listener, event, payload);
  }

  private async call({ instance, member, source }: Listener, event: string, payload: unknown): Promise<void> {
    try {
      await (instance as Record<string | symbol, (...args: unknown[]) => unknown>)[member]?.(payload, event);
    } catch (error) {
      this.logger.error(`The listener ${source} failed for '${event}'; runs are not affected.`, { error });
    }
  }
}

/** A listener of an event that there is not would never be called. */
function nameProblem(event: unknown, source: string): OptionProblem | undefined {
  if (typeof event === 'string' && FLOW_EVENT_NAMES.includes(event)) return undefined;
  const all = FLOW_EVENT_NAMES.map((name) => `'${name}'`).join(', ');
  if (typeof event !== 'string')
    return { path: '@OnFlowEvent()', message: `${source} names no event; name one or more of ${all}` };
  const instead = event.startsWith('job:')
    ? "; what becomes of a node is told by 'node:start', 'node:finish' and 'node:error'"
    : event.startsWith('run:')
      ? "; the end of a run is told by 'run:finished', with its status"
      : '';
  return {
    path: `@OnFlowEvent('${event}')`,
    message: `${source} waits for an event that there is not${instead}. There are ${all}`,
  };
}
