export type HeadersInput = Readonly<Record<string, string>> | Iterable<readonly [string, string]>;

const namePattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Anything that is not a control character, but for the tab. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what ends a header or hides in it
const valuePattern = /^[^\u0000-\u0008\u000a-\u001f\u007f]*$/;

/** Headers by name, without regard to case. Repeated ones are one, joined by a comma; cookies only by `setCookies`. */
export class FetchHeaders implements Iterable<[string, string]> {
  readonly #values = new Map<string, string>();
  #cookies: readonly string[] = [];

  /** Throws a TypeError for what cannot be a header. */
  constructor(headers: HeadersInput = {}) {
    const pairs = Symbol.iterator in headers ? headers : Object.entries(headers);
    for (const [name, value] of pairs as Iterable<readonly [string, string]>) this.append(name, value);
  }

  /** Headers of an answer, as the host sends them: cookies joined by a line break, for commas stand in them. */
  static received(headers: Readonly<Record<string, string>>): FetchHeaders {
    const received = new FetchHeaders();
    for (const [name, value] of Object.entries(headers)) {
      if (name === 'set-cookie') received.#cookies = value.split('\n');
      received.#values.set(name, value.replaceAll('\n', ', '));
    }
    return received;
  }

  /** Each Set-Cookie header of an answer. */
  get setCookies(): readonly string[] {
    return this.#cookies;
  }
  get(name: string): string | null {
    return this.#values.get(name.toLowerCase()) ?? null;
  }
  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }
  set(name: string, value: string): void {
    this.#values.set(checkedName(name), checkedValue(name, value));
  }
  append(name: string, value: string): void {
    const earlier = this.get(name);
    this.set(name, earlier === null ? value : `${earlier}, ${value}`);
  }
  /** Sets what is not there yet. */
  setDefault(name: string, value: string): void {
    if (!this.has(name)) this.set(name, value);
  }
  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }
  /** In lower case, in the order they came. */
  names(): string[] {
    return [...this.#values.keys()];
  }
  toRecord(): Record<string, string> {
    return Object.fromEntries(this.#values);
  }
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#values.entries();
  }
}

function checkedName(name: string): string {
  if (namePattern.test(name)) return name.toLowerCase();
  throw new TypeError(`"${String(name).slice(0, 100)}" is not the name of a header.`);
}

function checkedValue(name: string, value: string): string {
  const text = String(value).trim();
  if (valuePattern.test(text)) return text;
  throw new TypeError(`The header ${name} has a line break or another control character in it.`);
}
