import type { Verdict } from '../verdict.js';

export interface Moderated {
  readonly id: string;
  readonly channel: string;
  readonly verdict: Verdict;
  readonly reviewed: boolean;
  /** From the start of the run to its verdict. */
  readonly ms: number;
}

/** The table at the end of the demo. */
export function summaryOf(results: readonly Moderated[], totalMs: number): string {
  const channels = [...new Set(results.map((r) => r.channel))].sort();
  const row = (name: string, some: readonly Moderated[]) => [
    name,
    some.length,
    ...(['approved', 'redacted', 'rejected'] as const).map((v) => some.filter((r) => r.verdict.verdict === v).length),
    some.filter((r) => r.reviewed).length,
    milliseconds(percentile(some, 0.5)),
    milliseconds(percentile(some, 0.95)),
  ];
  const table = [
    ['channel', 'texts', 'approved', 'redacted', 'rejected', 'reviewed', 'p50', 'p95'],
    ...channels.map((channel) =>
      row(
        channel,
        results.filter((r) => r.channel === channel),
      ),
    ),
    row('all', results),
  ].map((cells) => cells.map(String));
  const perSecond = (results.length / totalMs) * 1000;
  return [
    render(table),
    '',
    `${results.length} texts in ${(totalMs / 1000).toFixed(1)} s: ${perSecond.toFixed(0)} texts/s`,
  ].join('\n');
}

function percentile(results: readonly Moderated[], share: number): number {
  const sorted = results.map((r) => r.ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

function render(table: readonly (readonly string[])[]): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  const [head = [], ...rows] = table;
  return [line(head), rule, ...rows.slice(0, -1).map(line), rule, ...rows.slice(-1).map(line)].join('\n');
}
