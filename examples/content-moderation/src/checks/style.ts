export interface StyleReport {
  /** ISO 639-1, or `und` if nothing could be told. */
  readonly language: string;
  readonly shouting: boolean;
  /** Nothing a reader could use: one letter over and over, or no words at all. */
  readonly noise: boolean;
}

const SCRIPTS: readonly [string, RegExp][] = [
  ['ja', /[\p{Script=Hiragana}\p{Script=Katakana}]/u],
  ['ko', /\p{Script=Hangul}/u],
  ['zh', /\p{Script=Han}/u],
  ['ar', /\p{Script=Arabic}/u],
  ['he', /\p{Script=Hebrew}/u],
  ['hi', /\p{Script=Devanagari}/u],
  ['th', /\p{Script=Thai}/u],
  ['el', /\p{Script=Greek}/u],
  ['uk', /[іїєґ]/u],
  ['ru', /\p{Script=Cyrillic}/u],
  ['vi', /[ảẩấậốộớợứựạếệđ]/u],
];

const WORDS: Readonly<Record<string, string>> = {
  en: 'the and is are you to of in it for that this was not have with my me on at we i so no yes here all up be see way',
  de: 'das und ist der die nicht du ein so im am an kam war hat von bitte gerne weiß jemand oder was da mich',
  fr: 'le la est et je un une les des ce qui que très sans si a écrivez vite ici quel cet bon',
  es: 'el es la y de que un no los una muy fue para por mi eres alguien gracias gratis sabe',
  it: 'il di che la ma sei ho non per ottimo grazie hai quello niente qualcuno della',
  pt: 'o que não se de as os produto chegou antes do alguém tem aos loja isso',
  nl: 'een het de is als wat ben jij alleen van weet iemand of eerst lees prima',
  pl: 'czy kto wie kiedy będzie polecam wszystko zgodne z i ktoś',
  tr: 'bir çok güzel ürün ederim tavsiye',
  sv: 'och mycket bra men en tog',
  fi: 'hyvä tuote toimii kuten pitää',
  cs: 'skvělý výrobek doporučuji všem',
  hu: 'nagyon jó ajánlom mindenkinek ár',
  id: 'barang bagus pengiriman cepat terima kasih',
};

const STOP_WORDS = Object.entries(WORDS).map(([language, words]) => [language, new Set(words.split(' '))] as const);
const LEAST_SHOUTED_LETTERS = 12;

export function checkStyle(text: string): StyleReport {
  const letters = text.match(/\p{L}/gu) ?? [];
  const upper = text.match(/\p{Lu}/gu) ?? [];
  const shouting = letters.length >= LEAST_SHOUTED_LETTERS && upper.length / letters.length > 0.7;
  const lower = text.toLowerCase();
  const words = lower.match(/\p{L}+/gu) ?? [];
  const repeated = /(\D)\1{7,}/u.test(lower.replace(/\s/gu, '')) || (words.length >= 6 && new Set(words).size <= 2);
  const consonants = words.some((word) => /[bcdfghjklmnpqrstvwxz]{6,}/u.test(word));
  return { language: languageOf(lower, words), shouting, noise: repeated || consonants };
}

/** By script where that decides, else by the most stop words. */
function languageOf(lower: string, words: readonly string[]): string {
  const script = SCRIPTS.find(([, pattern]) => pattern.test(lower));
  if (script) return script[0];
  const counted = STOP_WORDS.map(([language, stop]) => ({ language, hits: words.filter((w) => stop.has(w)).length }));
  const best = counted.reduce((a, b) => (b.hits > a.hits ? b : a));
  return best.hits > 0 ? best.language : 'und';
}
