import { lintBlueprint, type WorkflowBlueprint } from 'flowcraft';
import { LRUCache } from 'lru-cache';
import { assertMeant, blueprintWarnings } from '../core/blueprint-check.js';
import { BlueprintNotFoundError, NodeImplementationMissingError } from '../core/errors.js';
import { planBlueprint, type BlueprintPlan } from '../core/plan.js';
import { starvedJoins } from '../core/starved-joins.js';
import type { Logger } from '../ports/logger.js';
import type { RunStore } from '../ports/run-store.js';
import type { EngineOptions } from './engine-options.js';
import type { FlowcraftRuntime } from './flowcraft-runtime.js';

const SNAPSHOTS_KEPT = 500;

/** The blueprints that this process knows, and the stored versions of them that runs are pinned to. */
export class BlueprintCatalog {
  /** By blueprint id, then version; the one registered last without a version wish is the current one. */
  private readonly registered = new Map<string, BlueprintPlan[]>();
  private readonly broken = new Map<string, Error>();
  private readonly snapshots = new LRUCache<string, BlueprintPlan>({ max: SNAPSHOTS_KEPT });
  private readonly saved = new Set<string>();

  constructor(
    private readonly runtime: FlowcraftRuntime,
    private readonly store: RunStore,
    private readonly logger: Logger,
    private readonly options: Pick<EngineOptions, 'limits' | 'blueprints'>,
  ) {}

  /** Takes all blueprints of the runtime. Node implementations must be registered by then. */
  registerAll(): void {
    for (const blueprint of Object.values(this.runtime.blueprints)) this.register(blueprint);
  }

  /**
   * Adds a blueprint. One that cannot run is kept with its error, so that `start` can say what is wrong with it and all
   * others work.
   */
  register(blueprint: WorkflowBlueprint): void {
    this.runtime.blueprints[blueprint.id] = blueprint;
    try {
      const plan = planBlueprint(blueprint, this.options.limits.maxBlueprintNodes);
      assertMeant(blueprint);
      this.warn(plan);
      const others = (this.registered.get(blueprint.id) ?? []).filter((p) => p.version !== plan.version);
      this.registered.set(blueprint.id, [...others, plan]);
      this.snapshots.set(plan.hash, plan);
      this.broken.delete(blueprint.id);
      this.judgeMissing(plan);
    } catch (error) {
      this.broken.set(blueprint.id, error as Error);
      this.logger.error(`Blueprint '${blueprint.id}' is refused: ${(error as Error).message}`);
    }
  }

  ids(): string[] {
    return [...this.registered.keys()];
  }

  knows(blueprintId: string): boolean {
    return this.registered.has(blueprintId);
  }

  /** Whether this version of a blueprint is registered here. */
  has({ id, hash }: BlueprintPlan): boolean {
    return this.registered.get(id)?.some((plan) => plan.hash === hash) ?? false;
  }

  /**
   * The plan that a new run of this blueprint gets.
   * @throws BlueprintNotFoundError, BlueprintInvalidError, NodeImplementationMissingError
   */
  current(blueprintId: string, version?: string): BlueprintPlan {
    const error = this.broken.get(blueprintId);
    if (error) throw error;
    const plans = this.registered.get(blueprintId) ?? [];
    const plan = version === undefined ? plans.at(-1) : plans.find((p) => p.version === version);
    if (!plan) {
      const versions = plans.map((other) => other.version);
      throw new BlueprintNotFoundError(blueprintId, this.ids(), version, versions);
    }
    return plan;
  }

  /**
   * Stores the blueprint of a plan, and those of its subflows, each once a process.
   * @param pins the versions of subflows that are decided already
   * @returns the versions of all of its subflows and of theirs: those that this process does not know are left out
   */
  async save(plan: BlueprintPlan, pins: Readonly<Record<string, string>> = {}): Promise<Record<string, string>> {
    const versions = new Map(Object.entries(pins));
    for (const open = [plan]; open.length > 0;) {
      const next = open.pop() ?? plan;
      if (!this.saved.has(next.hash)) {
        await this.store.saveBlueprint(next.hash, next.blueprint);
        this.saved.add(next.hash);
      }
      for (const blueprintId of next.subflows) {
        const known = versions.has(blueprintId) ? undefined : this.registered.get(blueprintId)?.at(-1);
        if (!known) continue;
        versions.set(blueprintId, known.hash);
        open.push(known);
      }
    }
    return Object.fromEntries(versions);
  }

  /** The plan that a run is pinned to, whatever this process has registered. */
  async pinned(blueprintId: string, hash: string): Promise<BlueprintPlan> {
    const known = this.snapshots.get(hash);
    if (known) return known;
    const blueprint = await this.store.blueprint(blueprintId, hash);
    if (!blueprint) throw new BlueprintNotFoundError(blueprintId, this.ids(), hash);
    const plan = planBlueprint(blueprint);
    this.snapshots.set(hash, plan);
    return plan;
  }

  /** @throws NodeImplementationMissingError */
  private judgeMissing(plan: BlueprintPlan): void {
    const missing = this.missingIn(plan);
    if (!missing) return;
    const { unknownNodes = 'refuse' } = this.options.blueprints ?? {};
    if (unknownNodes === 'refuse') throw missing;
    if (unknownNodes === 'fail') this.logger.warn(`${missing.message} Until then these nodes fail.`);
    else
      this.logger.debug(`Blueprint '${plan.id}' has nodes whose code is not in this process; workers execute them.`, {
        uses: missing.missing.map(({ uses }) => uses),
      });
  }

  private missingIn(plan: BlueprintPlan): NodeImplementationMissingError | undefined {
    const missing = plan.blueprint.nodes
      .flatMap((n) => [
        { nodeId: n.id, uses: n.uses },
        ...(n.uses === 'batch-scatter' && typeof n.params?.['workerUsesKey'] === 'string'
          ? [{ nodeId: n.id, uses: n.params['workerUsesKey'] }]
          : []),
      ])
      .filter(({ uses }) => !this.runtime.hasImplementation(uses));
    return missing.length > 0 ? new NodeImplementationMissingError(plan.id, missing) : undefined;
  }

  private warn(plan: BlueprintPlan): void {
    const { issues } = lintBlueprint(plan.blueprint, this.runtime.runtime.registry, this.runtime.blueprints);
    for (const issue of issues) {
      if (issue.code === 'MISSING_NODE_IMPLEMENTATION' || issue.code === 'INVALID_BATCH_WORKER_KEY') continue;
      this.logger.warn(
        `Blueprint '${plan.id}': ${issue.message}`,
        issue.nodeId === undefined ? {} : { nodeId: issue.nodeId },
      );
    }
    for (const { message, nodeId } of blueprintWarnings(plan))
      this.logger.warn(`Blueprint '${plan.id}': ${message}`, nodeId === undefined ? {} : { nodeId });
    for (const nodeId of starvedJoins(plan)) {
      this.logger.warn(
        `Blueprint '${plan.id}': the join '${nodeId}' waits for all of its predecessors, but they lie behind different choices: if one of them is not taken, the join never runs, and nothing after it. Set its config.joinStrategy to 'settled' (runs once, with those that were taken) or 'any' (runs for each).`,
        { nodeId },
      );
    }
  }
}
