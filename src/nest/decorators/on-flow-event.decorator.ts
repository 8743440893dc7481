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

/** Of flowcraft's adapters, for their own event buses. Here `node:start`, `node:finish` and `node:error` tell the same. */
type JobEventName = 'job:enqueued' | 'job:processed' | 'job:failed';

/** What a listener gets, by the name of the event: flowcraft's events with their payloads, and two of ours. */
export type FlowEventPayloads = {
  [E in FlowcraftEvent as Exclude<E['type'], JobEventName>]: E['payload'];
} & {
  'run:finished': RunFinishedEvent;
  'run:awaiting': RunAwaitingEvent;
};

export type FlowEventName = keyof FlowEventPayloads;

const NAMES: Readonly<Record<FlowEventName, true>> = {
  'run:finished': true,
  'run:awaiting': true,
  'workflow:start': true,
  'workflow:resume': true,
  'workflow:stall': true,
  'workflow:pause': true,
  'workflow:finish': true,
  'node:start': true,
  'node:finish': true,
  'node:error': true,
  'node:fallback': true,
  'node:retry': true,
  'node:skipped': true,
  'edge:evaluate': true,
  'context:change': true,
  'batch:start': true,
  'batch:finish': true,
};

/** The events that a listener can hear. */
export const FLOW_EVENT_NAMES: readonly string[] = Object.keys(NAMES);

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
 * throws is logged and harms no run; the run does not wait for what it returns. A name of no event refuses the start of
 * the application.
 */
export function OnFlowEvent<E extends FlowEventName>(...events: [E, ...E[]]): FlowEventMethodDecorator<E> {
  return (target, member) => {
    for (const event of events) addMark(FLOW_EVENT, event, target, member);
    if (events.length === 0) addMark(FLOW_EVENT, undefined, target, member);
  };
}
