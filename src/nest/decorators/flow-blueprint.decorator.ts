import type { WorkflowBlueprint } from 'flowcraft';
import type { BlueprintSource } from '../blueprint-source.js';
import { addMark } from './marks.js';

export const FLOW_BLUEPRINT = Symbol('flowcraft-kafka:blueprint');

/** What `@FlowBlueprint` on a class asks of it. */
export interface FlowBlueprintProvider {
  /** Called once, when the application starts. */
  build(): WorkflowBlueprint | BlueprintSource | Promise<WorkflowBlueprint | BlueprintSource>;
}

/**
 * Registers blueprints that a provider gives: on a class, what its `build()` returns; on a property or accessor, its
 * value; on a method, what it returns. Each may be a blueprint, or a flow of `createFlow()`, whose node functions are
 * then registered too.
 */
export function FlowBlueprint(): ClassDecorator & PropertyDecorator & MethodDecorator {
  return (target: object, member?: string | symbol) => addMark(FLOW_BLUEPRINT, true, target, member);
}
