const COLUMNS = [
  'workload',
  'unit',
  'floor',
  'this package',
  'BullMQ flows',
  'original',
  'to floor',
  'to BullMQ',
  'load',
];
const WIDTHS = [62, 12, 22, 22, 22, 12, 9, 10, 5];

export function figure(value) {
  if (value === undefined || Number.isNaN(value)) return '-';
  return value >= 100 ? String(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function spread(system) {
  if (!system) return '-';
  const { median, min, max, rounds } = system;
  return rounds === 1 ? figure(median) : `${figure(median)} (${figure(min)}-${figure(max)})`;
}

/** A workload, and what each system measured. */
export function cellsOf({ title, unit, systems }) {
  return [title, unit, ...['floor', 'flowcraft-kafka', 'bullmq', 'original'].map((id) => spread(systems[id]))];
}

export function rowOf({ toFloor, toBullmq, load, ...measured }) {
  return [
    ...cellsOf(measured),
    toFloor === undefined ? '-' : `x${toFloor.toFixed(2)}`,
    toBullmq === undefined ? '-' : `x${toBullmq.toFixed(2)}`,
    figure(load),
  ];
}

export function printTable(results, withHead) {
  const line = (cells) => console.log(cells.map((cell, i) => cell.padEnd(WIDTHS[i])).join(' '));
  if (withHead) line(COLUMNS);
  for (const result of results) line(rowOf(result));
}
