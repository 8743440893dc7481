export interface NormalisedText {
  /** For people: NFKC, no invisible characters, single spaces. */
  readonly text: string;
  /** For matching: lower case, without accents, with spaced letters and digits that stand for letters undone. */
  readonly folded: string;
  readonly letters: number;
}

const INVISIBLE = /[\u00ad\u200b-\u200f\u2060\ufeff]/gu;
const COMBINING = /\p{M}+/gu;
/** Two or more marks on one letter are decoration. */
const STACKED_MARKS = /(\p{L})\p{M}{2,}/gu;
/** "i d i o t": at least three single letters in a row. */
const SPACED_LETTERS = /(?<![\p{L}\p{N}])(?:\p{L} ){2,}\p{L}(?![\p{L}\p{N}])/gu;
const LOOKALIKES: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '*': 'u',
};

export function normalise(raw: string): NormalisedText {
  const visible = raw.normalize('NFKC').replace(INVISIBLE, '').replace(STACKED_MARKS, '$1');
  const text = visible.replace(/[^\S\n]+/gu, ' ').trim();
  const plain = visible.normalize('NFD').replace(COMBINING, '').toLowerCase();
  const joined = plain
    .split(/\s{2,}/u)
    .map((words) => words.replace(SPACED_LETTERS, (letters) => letters.replaceAll(' ', '')))
    .join(' ');
  const folded = joined
    .split(/(\s+)/u)
    .map((word) => unmask(word))
    .join('')
    .replace(/\s+/gu, ' ')
    .trim();
  return { text, folded, letters: [...text].filter((c) => /\p{L}/u.test(c)).length };
}

/** Undoes "m0r0n" and "st*pid", but leaves numbers, addresses and links alone. */
function unmask(word: string): string {
  if (!/\p{L}/u.test(word) || /[@/]/u.test(word)) return word;
  return word.replace(/(?<=\p{L})[013457*]|[013457](?=\d*\p{L})/gu, (c) => LOOKALIKES[c] ?? c);
}
