export type PiiKind = 'email' | 'phone' | 'card' | 'iban' | 'ip' | 'ssn';

/** Where personal data is, in the normalised text. The data itself is not copied. */
export interface PiiFinding {
  readonly kind: PiiKind;
  readonly start: number;
  readonly end: number;
}

const PATTERNS: readonly { kind: PiiKind; pattern: RegExp; holds?: (match: string) => boolean }[] = [
  { kind: 'email', pattern: /[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/giu },
  { kind: 'email', pattern: /[\w.+-]+ ?\(at\) ?[\w-]+ ?\(dot\) ?[a-z]{2,}/giu },
  { kind: 'iban', pattern: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b/gu, holds: isIban },
  { kind: 'card', pattern: /\b\d(?:[ -]?\d){12,18}\b/gu, holds: isCardNumber },
  { kind: 'ssn', pattern: /\b\d{3}-\d{2}-\d{4}\b/gu },
  {
    kind: 'phone',
    pattern: /(?:\+\d{1,3}[ .-]?)?\(?\b\d{3,4}\)?[ .-]\d{3,4}(?:[ .-]\d{3,4})?\b/gu,
    holds: isPhoneNumber,
  },
  { kind: 'ip', pattern: /\b(?:\d{1,3}\.){3}\d{1,3}\b/gu, holds: isPublicAddress },
];

/** Finds personal data by form, and by check digits where the form has them. Earlier kinds win where they overlap. */
export function findPii(text: string): PiiFinding[] {
  const found: PiiFinding[] = [];
  for (const { kind, pattern, holds } of PATTERNS) {
    for (const match of text.matchAll(pattern)) {
      const finding = { kind, start: match.index, end: match.index + match[0].length };
      const overlaps = found.some((other) => finding.start < other.end && other.start < finding.end);
      if (!overlaps && (holds?.(match[0]) ?? true)) found.push(finding);
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

/** The text with every finding replaced by its kind, as in "[email]". */
export function maskPii(text: string, findings: readonly PiiFinding[]): string {
  let masked = '';
  let at = 0;
  for (const { kind, start, end } of findings) {
    masked += `${text.slice(at, start)}[${kind}]`;
    at = end;
  }
  return masked + text.slice(at);
}

/** The Luhn checksum of payment cards. */
function isCardNumber(match: string): boolean {
  const digits = [...match].filter((c) => c >= '0' && c <= '9').map(Number);
  const sum = digits.reverse().reduce((total, digit, i) => {
    const value = i % 2 === 0 ? digit : digit * 2;
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

/** ISO 7064 mod 97. */
function isIban(match: string): boolean {
  const compact = match.replaceAll(' ', '');
  const digits = [...(compact.slice(4) + compact.slice(0, 4))].map((c) => parseInt(c, 36).toString()).join('');
  let rest = 0;
  for (const digit of digits) rest = (rest * 10 + Number(digit)) % 97;
  return rest === 1;
}

function isPhoneNumber(match: string): boolean {
  const digits = match.replace(/\D/gu, '');
  return digits.length >= 7 && digits.length <= 13 && (match.includes('555') || /^\+|^0/u.test(match));
}

function isPublicAddress(match: string): boolean {
  const parts = match.split('.').map(Number);
  return parts.every((part) => part <= 255) && parts[0] !== 10 && parts[0] !== 127;
}
