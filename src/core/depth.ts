const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);
/** A value with more parts is not searched to its end: it is only asked after something else went wrong. */
const MOST_PARTS = 1_000_000;

/** Whether JSON text nests arrays and objects deeper than so many levels. Text that is no JSON may give any answer. */
export function isTextDeeperThan(text: string, levels: number): boolean {
  // each level takes two brackets
  if (text.length <= levels * 2) return false;
  let depth = 0;
  let isString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isString) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) isString = false;
    } else if (code === QUOTE) isString = true;
    else if (OPEN.has(code)) {
      if (++depth > levels) return true;
    } else if (CLOSE.has(code)) depth--;
  }
  return false;
}

/** Whether a value nests deeper than so many levels; false for one that holds itself. Needs no stack. */
export function isValueDeeperThan(value: unknown, levels: number): boolean {
  const path = new Set<object>();
  const open: { parts: Iterator<unknown>; of: object }[] = [];
  const enter = (next: unknown): boolean => {
    if (typeof next !== 'object' || next === null || path.has(next)) return false;
    path.add(next);
    open.push({ parts: partsOf(next)[Symbol.iterator](), of: next });
    return path.size > levels;
  };
  if (enter(value)) return true;
  for (let parts = 0, at = open.at(-1); at && parts < MOST_PARTS; parts++, at = open.at(-1)) {
    const next = at.parts.next();
    if (next.done) {
      path.delete(at.of);
      open.pop();
    } else if (enter(next.value)) return true;
  }
  return false;
}

/** None of an object that can't be read: whoever needs its parts says so. */
function partsOf(value: object): unknown[] {
  try {
    return Object.values(value);
  } catch {
    return [];
  }
}
