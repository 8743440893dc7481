export interface SimulationTotals {
  schedules: number;
  steps: number;
  turns: number;
  executions: number;
  runs: number;
  faults: Record<string, number>;
  flows: Record<string, number>;
  failures: Failure[];
}

export interface Failure {
  seed: number;
  flows: string[];
  violations: string[];
}

export interface SimulationOptions {
  /** @default 2 */
  processes?: number;
  flow?: string;
  mutant?: string;
}

export function simulate(from: number, to: number, options?: SimulationOptions): Promise<SimulationTotals>;
export function firstFailure(from: number, to: number, options?: SimulationOptions): Promise<Failure | undefined>;
export function trace(seed: number, options?: SimulationOptions): Promise<number>;
