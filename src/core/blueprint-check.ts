import { sanitizeBlueprint, type NodeDefinition, type WorkflowBlueprint } from 'flowcraft';
import { BlueprintInvalidError } from './errors.js';
import type { BlueprintPlan } from './plan.js';

/**
 * What is looked at when a blueprint is registered, and only then: runs that were accepted with such a blueprint go on.
 */

const STRATEGIES = ['all', 'any', 'settled', 'first'];
const PAUSES = ['retryDelay', 'maxRetryDelay', 'timeout'];

/** A field that has a value which nobody can mean. */
interface FieldProblem {
  /** As in `config.timeout`. */
  readonly field: string;
  readonly message: string;
}

/** What an author should know about a blueprint that runs. */
export interface BlueprintWarning {
  readonly nodeId?: string;
  readonly message: string;
}

/**
 * Refuses values that nobody can mean, which flowcraft would pass over or fail at. Looks at the blueprint as it was
 * written: as JSON an Infinity would be null, which counts as absent.
 * @throws BlueprintInvalidError that lists every problem
 */
export function assertMeant(raw: WorkflowBlueprint): void {
  const problems = sanitizeBlueprint(raw).nodes.flatMap((node) =>
    [...configProblems(node), ...inputProblems(node)].map(
      ({ field, message }) => `${field} of node '${node.id}' ${message}`,
    ),
  );
  if (problems.length > 0)
    throw new BlueprintInvalidError(raw.id, `Blueprint '${raw.id}' can't be meant so: ${problems.join('; ')}.`);
}

/** Problems of a node's `config`; none if it has none. */
export function configProblems(node: Pick<NodeDefinition, 'config'>): FieldProblem[] {
  const config: unknown = node.config;
  if (config === undefined || config === null) return [];
  if (typeof config !== 'object' || Array.isArray(config))
    return [{ field: 'config', message: `must be an object, not ${shown(config)}` }];
  const { maxRetries, joinStrategy, fallback, ...others } = config as Record<string, unknown>;
  const problems: FieldProblem[] = [];
  const refuse = (name: string, value: unknown, isRight: boolean, must: string) => {
    if (value !== undefined && value !== null && !isRight)
      problems.push({ field: `config.${name}`, message: `must be ${must}, not ${shown(value)}` });
  };
  // 0 is flowcraft's way to say that a node always fails
  refuse('maxRetries', maxRetries, isNumber(maxRetries) && Number.isInteger(maxRetries), ATTEMPTS);
  for (const name of PAUSES) refuse(name, others[name], isNumber(others[name]), 'a number of milliseconds, 0 or more');
  const strategies = STRATEGIES.map((name) => `'${name}'`).join(', ');
  refuse('joinStrategy', joinStrategy, STRATEGIES.includes(joinStrategy as string), `one of ${strategies}`);
  refuse('fallback', fallback, typeof fallback === 'string', 'the id of a node');
  return problems;
}

const ATTEMPTS = 'the number of attempts, a whole number from 1';

function inputProblems({ inputs }: { readonly inputs?: unknown }): FieldProblem[] {
  if (inputs === undefined || inputs === null || typeof inputs === 'string') return [];
  const must = 'must be a context key, or an object with a context key for each name';
  if (typeof inputs !== 'object') return [{ field: 'inputs', message: `${must}, not ${shown(inputs)}` }];
  return Object.entries(inputs)
    .filter(([, key]) => typeof key !== 'string')
    .map(([name, key]) => ({ field: `inputs.${name}`, message: `must be a context key, not ${shown(key)}` }));
}

/** Oddities that flowcraft runs in a way of its own, and does not warn of. */
export function blueprintWarnings({ nodes }: BlueprintPlan): BlueprintWarning[] {
  if (nodes.size === 0) return [{ message: 'it has no nodes: its runs complete at once, with nothing done.' }];
  return [...nodes.values()].flatMap(({ id, definition, fallback, isController, join, predecessors, rescues }) => {
    const warnings: string[] = [];
    if (definition.config?.maxRetries === 0)
      warnings.push(`config.maxRetries of node '${id}' is 0: it never executes, and fails. 1 is one attempt.`);
    if (fallback && !nodes.has(fallback))
      warnings.push(
        `config.fallback of node '${id}' is '${fallback}', which is no node of it: unless a node has added a '${fallback}' at run time, the run fails when '${id}' does.`,
      );
    const ghost = predecessors.find((source) => !nodes.has(source));
    const waits = join === 'all' || !predecessors.some((source) => nodes.has(source));
    if (ghost !== undefined && waits && rescues.length === 0)
      warnings.push(
        `an edge leads from '${ghost}', which is no node of it, to node '${id}': '${id}' waits for that. Unless a node adds a '${ghost}' at run time, it never executes, and the runs complete without it.`,
      );
    if (isController && join === 'all' && predecessors.length > 1)
      warnings.push(
        `the loop controller '${id}' waits for all of '${predecessors.join("', '")}' at each pass, of which only some come: its loop may end before its condition says so, and what follows never runs. Set its config.joinStrategy to 'any', as createFlow().loop() does.`,
      );
    return warnings.map((message) => ({ nodeId: id, message }));
  });
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 100)}'`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
}
