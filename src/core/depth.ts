const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SQUARE_OPEN = 0x5b;
const SQUARE_CLOSE = 0x5d;
const CURLY_OPEN = 0x7b;
const CURLY_CLOSE = 0x7d;
/** A value with more parts is not searched to its end: it is only asked after something else went wrong. */
const MOST_PARTS = 1_000_000;

/** Whether JSON text nests arrays and objects deeper than so many levels. Text that is no JSON may give any answer. */
export function isTextDeeperThan(text: string, levels: number): boolean {
  // each level takes two brackets; most texts have few, and every output is looked at
  if (text.length <= levels * 2 || !hasMoreBrackets(text, levels)) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === SQUARE_OPEN || code === CURLY_OPEN) {
      if (++depth > levels) return true;
    } else if (code === SQUARE_CLOSE || code === CURLY_CLOSE) depth--;
  }
  return false;
}

/** Whether more than so many brackets are opened, those in strings counted. */
function hasMoreBrackets(text: string, most: number): boolean {
  let count = 0;
  for (const bracket of ['[', '{'])
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if (++count > most) return true;
  return false;
}

/** Where the string ends that begins here. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
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
