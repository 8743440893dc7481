import fc from 'fast-check';
import type { WorkflowBlueprint } from 'flowcraft';
import { BlueprintInvalidError } from '../../src/core/errors.js';
import { planBlueprint, type BlueprintPlan } from '../../src/core/plan.js';
import type { Ledger } from '../../src/ports/ledger.js';
import { newRunId } from './ledger-bench.js';
import { ledgerBlueprints, ledgerCommands, type LedgerCommand } from './ledger-commands.js';
import { History } from './ledger-history.js';
import { ledgerSide, referenceSide } from './ledger-sides.js';

/**
 * Holds a ledger against LedgerState: random histories of claims, renewals, settlings, redeliveries and rebuilds on
 * random plans get the same answers and leave the same fields, but for tokens and times. A claim that runs out gets a
 * lease of nothing, so no test waits.
 */
export async function checkLedgerEquivalence(
  ledger: Ledger,
  parameters: fc.Parameters<[WorkflowBlueprint, LedgerCommand[]]> = {},
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(ledgerBlueprints, ledgerCommands, async (blueprint, commands) => {
      const plan = planOf(blueprint);
      if (!plan) return;
      const history = new History(plan, [referenceSide(), ledgerSide(ledger, newRunId())]);
      await history.begin();
      for (const command of commands) await history.step(command);
    }),
    parameters,
  );
}

/** None for what no engine would start. */
function planOf(blueprint: WorkflowBlueprint): BlueprintPlan | undefined {
  try {
    return planBlueprint(blueprint);
  } catch (error) {
    if (error instanceof BlueprintInvalidError) return undefined;
    throw error;
  }
}
