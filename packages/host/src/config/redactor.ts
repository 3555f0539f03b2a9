import { MmmError, RpcError } from '@mmm/protocol';
import { CallFailed } from '@mmm/rpc';
import { isTable } from './document.ts';

/** What stands where a secret was. */
export const redacted = '[secret]';
/** Shorter ones would take the sense out of any text they are looked for in, and are guessed at once anyway. */
const lengthMin = 4;
const lineLengthMin = 8;
/** How much of the end of a cut text is looked at for the beginning of a secret. */
const beginningMax = 4096;

/**
 * Takes the secrets of one plugin out of what it says: as they are, line by line, and as they look inside of JSON, of
 * an address and of base64. It guards against accidents; a plugin that means to give its secret away can write it in
 * ways nobody looks for.
 */
export class Redactor {
  /** Longest first, so that a secret within another one leaves nothing of it behind. */
  #forms: readonly string[] = [];

  /** Every text and number in these values is a secret from now on. Former ones stay: a plugin may still hold them. */
  add(secrets: unknown): void {
    const forms = new Set(this.#forms);
    for (const value of leaves(secrets)) for (const form of formsOf(value)) forms.add(form);
    if (forms.size === this.#forms.length) return;
    this.#forms = [...forms].sort((left, right) => right.length - left.length);
  }

  /** `cut`: the end of the text is missing, so that a secret may have been cut through. */
  text(text: string, cut = false): string {
    let safe = text;
    for (const form of this.#forms) if (safe.includes(form)) safe = safe.replaceAll(form, redacted);
    return cut ? this.#withoutBeginning(safe) : safe;
  }

  /** The same value with every text in it made safe, names of fields included. */
  value<T>(value: T): T {
    return this.#forms.length === 0 ? value : (this.#deep(value) as T);
  }

  /** The same error without secrets, in its causes too. */
  error<E>(error: E): E {
    if (this.#forms.length === 0 || !(error instanceof Error)) return error;
    const message = this.text(error.message);
    const options = error.cause === undefined ? undefined : { cause: this.error(error.cause) };
    if (error instanceof MmmError) return new MmmError(error.code, message, this.value(error.data), options) as E;
    if (error instanceof RpcError) return new RpcError(error.code, message, this.value(error.data)) as E;
    if (error instanceof CallFailed) return new CallFailed(error.reason, message, this.value(error.issues)) as E;
    return (message === error.message && options === undefined ? error : new Error(message, options)) as E;
  }

  #deep(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') return this.text(String(value)) === String(value) ? value : redacted;
    if (Array.isArray(value)) return value.map((item) => this.#deep(item));
    if (!isTable(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [this.text(name), this.#deep(part)]));
  }

  #withoutBeginning(text: string): string {
    for (const form of this.#forms) {
      for (let length = Math.min(form.length - 1, text.length, beginningMax); length >= lengthMin; length -= 1) {
        if (text.endsWith(form.slice(0, length))) return text.slice(0, -length) + redacted;
      }
    }
    return text;
  }
}

function* leaves(value: unknown): Iterable<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'number') yield String(value);
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) yield* leaves(part);
}

function* formsOf(secret: string): Iterable<string> {
  const lines = secret.split(/\r?\n/).map((line) => line.trim());
  // What is printed line by line is seen line by line; short lines, such as a brace, are not worth hiding.
  const long = lines.filter((line) => line.length >= lineLengthMin);
  for (const text of [secret, secret.trim(), ...long]) {
    if (text.length < lengthMin) continue;
    yield text;
    const json = JSON.stringify(text).slice(1, -1);
    yield json;
    // A log line that is JSON within JSON.
    yield JSON.stringify(json).slice(1, -1);
    yield new URLSearchParams({ v: text }).toString().slice(2);
    yield new URLSearchParams({ v: text }).toString().slice(2).replaceAll('+', '%20');
    const bytes = Buffer.from(text, 'utf8');
    yield bytes.toString('base64').replace(/=+$/, '');
    yield bytes.toString('base64url');
    yield bytes.toString('hex');
  }
}
