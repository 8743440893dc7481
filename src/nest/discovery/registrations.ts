import {
  DIContainer,
  FlowRuntime,
  type NodeImplementation,
  type NodeRegistry,
  type WorkflowBlueprint,
} from 'flowcraft';
import { containerProblems } from '../../composition/runtime-check.js';
import { isBlueprint, isBlueprintSource, resolveBlueprint, type BlueprintSource } from '../blueprint-source.js';
import { featureProblems } from '../module-arguments.js';
import type { FlowcraftFeature } from '../feature-registration.js';
import type { OptionProblem } from '../options-check.js';
import type { FlowcraftRuntimeOptions } from '../options.js';
import type { DeclaredBlueprint } from './blueprint-explorer.js';
import type { DeclaredNode } from './node-explorer.js';

const RUNTIME_REGISTRY = 'runtime.registry';

/**
 * Puts the node types and blueprints of all sources together. Two sources may name one thing only if it is the same
 * thing; whatever else is wrong is added to `problems`.
 */
export class Registrations {
  readonly nodes: NodeRegistry = {};
  private readonly builtIn: ReadonlySet<string> = new Set(new FlowRuntime({}).registry.keys());
  /** In the order of registration; one id may come with several versions. */
  readonly blueprints: { readonly key: string; readonly blueprint: WorkflowBlueprint }[] = [];
  private readonly nodeSources = new Map<string, string>();
  private readonly blueprintSources = new Map<string, { readonly place: string; readonly text: string }>();

  constructor(private readonly problems: OptionProblem[]) {}

  addRuntime(runtime: FlowcraftRuntimeOptions | DIContainer): void {
    if (runtime instanceof DIContainer) {
      // the engine reads it
      const wrong = containerProblems(runtime);
      this.problems.push(...wrong.map(({ path, message }) => ({ path: ['runtime', ...path].join('.'), message })));
      return;
    }
    for (const [name, implementation] of Object.entries(runtime.registry ?? {}))
      this.addNode({ name, implementation: implementation as NodeImplementation, source: RUNTIME_REGISTRY });
    this.addBlueprints(runtime.blueprints ?? {}, 'runtime.blueprints');
  }

  addFeature(feature: FlowcraftFeature): void {
    const wrong = featureProblems(feature);
    this.problems.push(...wrong);
    if (wrong.length > 0) return;
    const { nodes, blueprints } = feature;
    for (const [name, implementation] of Object.entries(nodes ?? {}))
      this.addNode({ name, implementation, source: 'forFeature({ nodes })' });
    this.addBlueprints(blueprints ?? {}, 'forFeature({ blueprints })');
  }

  addNode({ name, implementation, source }: DeclaredNode): void {
    if (typeof implementation !== 'function') {
      this.problems.push(problemAt(source, name, 'is neither a function nor a node class'));
      return;
    }
    if (source !== RUNTIME_REGISTRY && this.builtIn.has(name)) {
      this.problems.push({
        path: `node type '${name}'`,
        message: `is built into flowcraft, and ${source} would replace it; choose another name, or put it into runtime.registry if you mean to replace it`,
      });
      return;
    }
    const other = this.nodeSources.get(name);
    if (other !== undefined && this.nodes[name] !== implementation) {
      this.problems.push({
        path: `node type '${name}'`,
        message: `is declared twice, ${by(other, source)}; rename or remove one of them`,
      });
      return;
    }
    this.nodeSources.set(name, source);
    this.nodes[name] = implementation;
  }

  /** @param place where among the declarations of the source it stands */
  addBlueprint({ value, source }: DeclaredBlueprint, key?: string, place = source): void {
    if (!isBlueprint(value) && !isBlueprintSource(value)) {
      this.problems.push(problemAt(source, key, 'is neither a blueprint nor a flow of createFlow()'));
      return;
    }
    const { blueprint, nodes } = resolveBlueprint(value);
    const [id, version, text] = [key ?? blueprint.id, blueprint.metadata?.version, textOf(blueprint)];
    const other = this.blueprintSources.get(`${id}\n${version}`);
    if (other && other.text !== text) {
      this.problems.push({
        path: `blueprint '${id}'`,
        message: `is declared twice with different content, ${by(other.place, place)}; rename one, or give them different metadata.version`,
      });
      return;
    }
    for (const [name, implementation] of nodes) this.addNode({ name, implementation, source });
    if (other) return;
    this.blueprintSources.set(`${id}\n${version}`, { place, text });
    this.blueprints.push({ key: id, blueprint: id === blueprint.id ? blueprint : { ...blueprint, id } });
  }

  private addBlueprints(
    given:
      readonly (WorkflowBlueprint | BlueprintSource)[] | Readonly<Record<string, WorkflowBlueprint | BlueprintSource>>,
    source: string,
  ): void {
    if (Array.isArray(given)) {
      for (const [index, value] of (given as readonly (WorkflowBlueprint | BlueprintSource)[]).entries())
        this.addBlueprint({ value, source: `${source}[${index}]` });
      return;
    }
    // a blueprint that is given under another name than its own answers to both
    for (const [key, value] of Object.entries(given)) {
      const place = source.startsWith('runtime.') ? `${source}.${key}` : `${source} under '${key}'`;
      this.addBlueprint({ value, source }, key, place);
      if ((idOf(value) ?? key) !== key) this.addBlueprint({ value, source }, undefined, place);
    }
  }
}

/** Two features are told apart by nothing but what they declare. */
function by(one: string, other: string): string {
  return one === other ? `both times by ${one}` : `by ${one} and by ${other}`;
}

/** An option has a path that leads to the element; of other sources the sentence names it. */
function problemAt(source: string, key: string | undefined, message: string): OptionProblem {
  if (key !== undefined && source.startsWith('runtime.')) return { path: `${source}.${key}`, message };
  return { path: source, message: `${key === undefined ? 'an element' : `'${key}'`} ${message}` };
}

/** Empty for one that is no JSON data, which the catalog refuses. */
function textOf(blueprint: WorkflowBlueprint): string {
  try {
    return JSON.stringify(blueprint);
  } catch {
    return '';
  }
}

function idOf(value: unknown): string | undefined {
  if (isBlueprint(value)) return value.id;
  return isBlueprintSource(value) ? value.toBlueprint().id : undefined;
}
