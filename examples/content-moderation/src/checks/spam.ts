export interface SpamReport {
  /** 0 to 1. */
  readonly score: number;
  readonly links: number;
  readonly signals: readonly string[];
}

const PHRASES: readonly [RegExp, number][] = [
  [/\b(?:click|clic|haz clic|cliquez)\b.{0,12}\b(?:here|ici|aqui)\b/u, 0.25],
  [/\b(?:free|gratis|kostenlos|100%)\b/u, 0.15],
  [/\b(?:win|winner|gewinnen|gagnez|giveaway|prize|congratulations)\b/u, 0.25],
  [
    /\b(?:earn|make|turn|gagnez|dinero|money|argent|euro)\b.{0,12}(?:\$|\d{3,}|money|fast|vite|gratis|l.argent|sichern)/u,
    0.35,
  ],
  [/\b(?:limited|today only|act now|only the first|last chance|limitee|now!)\b/u, 0.15],
  [/\b(?:guaranteed|no experience|no questions asked|no prescription|approved in)\b/u, 0.25],
  [/\b(?:crypto|loans?|pills|followers|investment|designer watches)\b/u, 0.25],
  [/\b(?:dm me|promo code|follow for follow|cheap)\b/u, 0.2],
  [/\b(?:buy now)\b.*\bbuy now\b/u, 0.3],
];

const LINK = /(?:https?:\/\/|www\.)\S+/gu;

export function checkSpam(text: string, folded: string): SpamReport {
  const links = text.match(LINK)?.length ?? 0;
  const insecure = /http:\/\//u.test(text);
  const signals = PHRASES.map(([phrase, weight]) => ({ match: phrase.exec(folded)?.[0], weight })).filter(
    (signal): signal is { match: string; weight: number } => signal.match !== undefined,
  );
  const exclamations = (text.match(/!/gu)?.length ?? 0) >= 3;
  const flames = (text.match(/\p{Extended_Pictographic}/gu)?.length ?? 0) >= 5;
  const score =
    signals.reduce((sum, { weight }) => sum + weight, 0) +
    (links > 0 && signals.length > 0 ? 0.15 : 0) +
    (insecure ? 0.15 : 0) +
    (links >= 2 && insecure ? 0.15 : 0) +
    (exclamations && signals.length > 0 ? 0.1 : 0) +
    (flames ? 0.2 : 0);
  return { score: Math.round(Math.min(1, score) * 100) / 100, links, signals: signals.map(({ match }) => match) };
}
