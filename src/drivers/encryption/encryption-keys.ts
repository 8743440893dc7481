import { ConfigurationError, IllegalStateError } from '../../core/errors.js';

/** Keys for what is stored. */
export interface EncryptionOptions {
  /** By id (1 to 64 letters, digits, `_`, `.` or `-`): 32 random bytes, or these in base64. Old keys stay, for reading. */
  readonly keys: Readonly<Record<string, string | Uint8Array>>;
  /** The key that is written with. */
  readonly activeKeyId: string;
  /**
   * Whether what is stored without encryption is read, too; for as long as there are runs from before. Whoever can write
   * to the tables could otherwise put values of his own in place of encrypted ones.
   * @default false
   */
  readonly acceptPlaintext?: boolean;
}

/** The keys, or a function that fetches them: called at start, and again when a key id turns up that is not known. */
export type EncryptionSource = EncryptionOptions | (() => EncryptionOptions | Promise<EncryptionOptions>);

export interface OptionProblem {
  readonly path: string;
  readonly message: string;
}

const KEY_BYTES = 32;
const KEY_ID = /^[A-Za-z0-9_.-]{1,64}$/;
/** Of the shortest text that can hold a key. */
const KEY_CHARACTERS = 32;
const BASE64 = /^[A-Za-z0-9+/]{43}=?$/;
/** A provider is not asked more often for a key that it does not have. */
const REFRESH_PAUSE_MS = 10_000;

/** What is wrong with the keys, each by its path; never with a key in it. */
export function encryptionProblems(given: unknown): OptionProblem[] {
  if (typeof given === 'function') return [];
  if (typeof given !== 'object' || given === null)
    return [{ path: '', message: 'must be { keys, activeKeyId }, or a function that answers them' }];
  const { keys, activeKeyId, acceptPlaintext, ...others } = given as Record<string, unknown>;
  const problems = Object.keys(others).map((path) => ({ path, message: 'is no option; look for a typing error' }));
  const isMap = typeof keys === 'object' && keys !== null && !Array.isArray(keys);
  if (!isMap)
    problems.push({ path: 'keys', message: "must hold the keys by id, as { '2026-01': '<32 bytes in base64>' }" });
  for (const [i, [id, key]] of Object.entries(isMap ? keys : {}).entries()) {
    // what is no id, and as long as a key, may be one, in the wrong place
    const isTold = bytesOf(id) === undefined && (KEY_ID.test(id) || id.length < KEY_CHARACTERS);
    const path = isTold ? `keys.${id}` : `keys[${i}]`;
    if (!KEY_ID.test(id))
      problems.push({ path, message: 'has an id of other than 1 to 64 letters, digits, _, . or -' });
    if (bytesOf(key) === undefined) problems.push({ path, message: 'must be 32 bytes, or 32 bytes in base64' });
  }
  if (typeof activeKeyId !== 'string' || (isMap && !Object.hasOwn(keys, activeKeyId)))
    problems.push({ path: 'activeKeyId', message: 'must be the id of one of the keys' });
  if (acceptPlaintext !== undefined && typeof acceptPlaintext !== 'boolean')
    problems.push({ path: 'acceptPlaintext', message: 'must be true or false' });
  return problems;
}

/** The keys of one process. No inspection shows them. */
export class EncryptionKeys {
  readonly #source: EncryptionSource;
  #keys: ReadonlyMap<string, Buffer> = new Map();
  #activeKeyId = '';
  #acceptPlaintext = false;
  #loading: Promise<void> | undefined;
  #refreshedAt = -Infinity;

  /** @throws ConfigurationError, never with a key in it */
  constructor(source: EncryptionSource) {
    this.#source = source;
    if (typeof source !== 'function') this.take(source);
  }

  get activeKeyId(): string {
    if (this.#keys.size === 0) throw new IllegalStateError('The encryption keys are not loaded. Call connect() first.');
    return this.#activeKeyId;
  }

  get acceptPlaintext(): boolean {
    return this.#acceptPlaintext;
  }

  get ids(): string[] {
    return [...this.#keys.keys()];
  }

  find(id: string): Buffer | undefined {
    return this.#keys.get(id);
  }

  /** @throws ConfigurationError if the provider answers no keys, and what the provider throws */
  async ready(): Promise<void> {
    if (this.#keys.size === 0) await this.load();
  }

  /** Asks the provider again, unless there is none or it was asked again a moment ago. */
  async refresh(): Promise<void> {
    if (typeof this.#source !== 'function') return;
    if (this.#loading === undefined) {
      if (performance.now() - this.#refreshedAt < REFRESH_PAUSE_MS) return;
      this.#refreshedAt = performance.now();
    }
    await this.load();
  }

  private load(): Promise<void> {
    this.#loading ??= this.ask().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  private async ask(): Promise<void> {
    if (typeof this.#source === 'function') this.take(await this.#source());
  }

  private take(options: EncryptionOptions): void {
    const problems = encryptionProblems(options);
    if (problems.length > 0) {
      const path = (own: string) => (own === '' ? 'encryption' : `encryption.${own}`);
      throw new ConfigurationError(problems.map((problem) => ({ ...problem, path: path(problem.path) })));
    }
    const entries = Object.entries(options.keys).flatMap(([id, key]): [string, Buffer][] => {
      const bytes = bytesOf(key);
      return bytes ? [[id, bytes]] : [];
    });
    this.#keys = new Map(entries);
    this.#activeKeyId = options.activeKeyId;
    this.#acceptPlaintext = options.acceptPlaintext ?? false;
  }
}

function bytesOf(key: unknown): Buffer | undefined {
  if (typeof key === 'string') return BASE64.test(key) ? Buffer.from(key, 'base64') : undefined;
  return key instanceof Uint8Array && key.byteLength === KEY_BYTES ? Buffer.from(key) : undefined;
}
