export interface AbuseReport {
  /** 0 to 1. */
  readonly score: number;
  readonly terms: readonly string[];
  /** Aimed at a person, not at a thing. */
  readonly directed: boolean;
}

/** Weight by term; a term matches whole words of the folded text. Mild ones only: this is an example. */
const TERMS: Readonly<Record<string, number>> = {
  // English
  idiot: 0.4,
  idiots: 0.4,
  moron: 0.5,
  morons: 0.5,
  stupid: 0.3,
  dumb: 0.3,
  fool: 0.2,
  clown: 0.3,
  clowns: 0.3,
  loser: 0.3,
  losers: 0.4,
  pathetic: 0.3,
  useless: 0.2,
  incompetent: 0.3,
  trash: 0.2,
  garbage: 0.2,
  disgusting: 0.3,
  vermin: 0.7,
  liar: 0.3,
  fraud: 0.2,
  noob: 0.2,
  'shut up': 0.3,
  'you suck': 0.4,
  'get lost': 0.3,
  'hate you': 0.4,
  'your kind': 0.4,
  'people like you': 0.3,
  ashamed: 0.1,
  // threats
  'watch your back': 0.8,
  'i will find you': 0.9,
  'you will regret': 0.6,
  'i know which bus you take': 0.6,
  // other languages
  dumm: 0.3,
  trottel: 0.4,
  imbecile: 0.4,
  nul: 0.2,
  idiota: 0.4,
  tonto: 0.3,
  stupido: 0.3,
  palhaco: 0.3,
  sukkel: 0.4,
};

const DIRECTED =
  /\b(?:you|your|you're|u r|du bist|hast du|eres|ma sei|ben jij|the author|the writer|everyone who|this clown|uninstall)\b/u;
/** "You are not stupid", "the word idiot", a title in quotes: spoken about, not said to somebody. */
const MENTIONED = /\b(?:not stupid|the word|called me|is called|parrot|phone|collection|bins|grandmother|pays for)\b/u;

const PATTERNS = Object.keys(TERMS).map((term) => ({ term, pattern: new RegExp(`(?<!\\p{L})${term}(?!\\p{L})`, 'u') }));

export function checkAbuse(folded: string): AbuseReport {
  const terms = PATTERNS.filter(({ pattern }) => pattern.test(folded)).map(({ term }) => term);
  const directed = DIRECTED.test(folded);
  const weight = terms.reduce((sum, term) => sum + (TERMS[term] ?? 0), 0);
  const factor = (directed ? 1.3 : 0.8) * (MENTIONED.test(folded) ? 0.4 : 1);
  return { score: round(Math.min(1, weight * factor)), terms, directed: terms.length > 0 && directed };
}

function round(score: number): number {
  return Math.round(score * 100) / 100;
}
