import type { NodeImplementation, NodeRegistry, WorkflowBlueprint } from 'flowcraft';
import type { BlueprintSource } from './blueprint-source.js';

/** What a feature module adds to the engine. */
export interface FlowcraftFeature {
  /** Blueprints, or flows of `createFlow()` together with the code of their nodes; an array, or an object of them. */
  readonly blueprints?:
    readonly (WorkflowBlueprint | BlueprintSource)[] | Readonly<Record<string, WorkflowBlueprint | BlueprintSource>>;
  /** Node types by name: functions, or flowcraft node classes. */
  readonly nodes?: Readonly<Record<string, NodeImplementation>> | NodeRegistry;
}

/** Carries a feature through Nest's container, where it is found at start. */
export class FeatureRegistration {
  constructor(readonly feature: FlowcraftFeature) {}
}
