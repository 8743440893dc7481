import type { FlowcraftEvent } from 'flowcraft';
import type { EndStatus } from '../../core/run.js';
import type { NodeError } from '../../engine/finisher.js';
import { addMark } from './marks.js';

export const FLOW_EVENT = Symbol('flowcraft-kafka:event');

/** A run has ended. Told in the process that ended it, at least once. */
export interface RunFinishedEvent {
  readonly runId: string;
  readonly blueprintId: string;
  readonly status: EndStatus;
  /** Failures that no fallback rescued. */
  readonly errors: readonly NodeError[];
}

/** A run has nothing left to do but to wait for `resume`. Told in the process that found it so, at least once. */
export interface RunAwaitingEvent {
  readonly runId: string;
  readonly blueprintId: string;
}

/** What a listener gets, by the name of the event: flowcraft's events with their payloads, and two of ours. */
export type FlowEventPayloads = {
  [E in FlowcraftEvent as E['type']]: E['payload'];
} & {
  'run:finished': RunFinishedEvent;
  'run:awaiting': RunAwaitingEvent;
};

export type FlowEventName = keyof FlowEventPayloads;

/** Refuses methods that take something else than the events give. */
export type FlowEventMethodDecorator<E extends FlowEventName> = <
  M extends (payload: FlowEventPayloads[E], event: E) => unknown,
>(
  target: object,
  member: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Calls the method for each event of these names that happens in this process: flowcraft's events of the nodes that
 * execute here (`node:start`, `node:finish`, `node:error`, ...), and `run:finished` and `run:awaiting`. What the method
 * throws is logged and harms no run; the run does not wait for what it returns.
 */
export function OnFlowEvent<E extends FlowEventName>(...events: [E, ...E[]]): FlowEventMethodDecorator<E> {
  return (target, member) => {
    for (const event of events) addMark(FLOW_EVENT, event, target, member);
  };
}
