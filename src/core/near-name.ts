/** The known name that a given one is most likely meant to be: a typing error away, or in other letters' case. */
export function nearName(given: string, known: readonly string[]): string | undefined {
  const [first] = known
    .map((name) => ({ name, edits: editsBetween(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, edits }) => edits <= Math.min(2, Math.floor(name.length / 3)))
    .sort((one, other) => one.edits - other.edits);
  return first?.name;
}

/** Letters to add, drop, replace or swap with their neighbour. */
function editsBetween(one: string, other: string): number {
  const rows = [Array.from({ length: other.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= one.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      const ways = [at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (isSame ? 0 : 1)];
      rows[i]?.push(Math.min(...ways, ...(isSwap ? [at(i - 2, j - 2) + 1] : [])));
    }
  }
  return at(one.length, other.length);
}
