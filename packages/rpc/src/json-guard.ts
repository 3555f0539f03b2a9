// What is looked at before and after JSON.parse, so that no text overflows a stack, blocks the loop or reaches a
// prototype.

const quote = 0x22;
const backslash = 0x5c;
/** Strings are scanned byte by byte up to here, then with a native search: each is faster on its side. */
const inlineScan = 32;
/** Below this many bytes a message cannot hold too much structure for any sensible limit, and is not counted. */
const structureFromBytes = 512 * 1024;

/** Where the string that was opened at `open` is closed; the length when it is not. */
function closingQuote(bytes: Buffer, open: number): number {
  let at = open + 1;
  const inlineEnd = Math.min(bytes.length, at + inlineScan);
  for (; at < inlineEnd; at++) {
    const byte = bytes[at];
    if (byte === quote) return at;
    if (byte === backslash) at++;
  }
  while (at < bytes.length) {
    const found = bytes.indexOf(quote, at);
    if (found < 0) return bytes.length;
    let slashes = 0;
    while (found - slashes > at && bytes[found - slashes - 1] === backslash) slashes++;
    if (slashes % 2 === 0) return found;
    at = found + 1;
  }
  return bytes.length;
}

/** True when there are at most `max` of this byte. Native search, so it costs next to nothing where there are few. */
function hasAtMost(bytes: Buffer, byte: number, max: number): boolean {
  let at = -1;
  for (let count = 0; count <= max; count++) {
    at = bytes.indexOf(byte, at + 1);
    if (at < 0) return true;
  }
  return false;
}

/** What a key, a container and a comma weigh, and a key that an object like it had before. */
const weights = { key: 16, container: 4, comma: 1, repeated: 1 } as const;
const shapeBits = 12;
/** Different in each process, so that nobody outside can look for keys that only seem to be repeated. */
const shapeStart = Math.trunc(Math.random() * 2 ** 32) | 0;
const shapeFactor = Math.trunc(Math.random() * 2 ** 32) | 1;

/**
 * Tells keys that open new ground from those that follow the path of an earlier object: JSON.parse makes a new shape
 * for the one and is twenty times as fast with the other. Remembers some thousand shapes, and takes the rest for new.
 */
class Shapes {
  readonly #known = new Int32Array(1 << shapeBits);
  readonly #paths: Int32Array;

  constructor(depth: number) {
    this.#paths = new Int32Array(depth + 1);
  }

  open(level: number): void {
    this.#paths[level] = shapeStart;
  }

  /** Follows the object at this level by the key in these bytes. Returns whether an earlier one had gone that way. */
  isKnown(level: number, bytes: Buffer, from: number, to: number): boolean {
    let hash = this.#paths[level] ?? 0;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), shapeFactor);
    hash = Math.imul(hash ^ (hash >>> 15), shapeFactor);
    this.#paths[level] = hash;
    const place = hash >>> (32 - shapeBits);
    if (this.#known[place] === hash) return true;
    this.#known[place] = hash;
    return false;
  }
}

/**
 * Measures JSON text without reading it: whether it nests deeper than `depth`, or holds more structure than `structure`
 * (in keys; four containers or sixteen commas weigh as much as one, and so do sixteen keys of objects that are like
 * earlier ones). Linear, without recursion. Eight MiB of keys that are all different take JSON.parse a second; as many
 * as the limit's default take it 100 ms, and so do eight MiB of ordinary rows, which are within it.
 */
export function tooComplex(bytes: Buffer, depth: number, structure: number): 'depth' | 'structure' | undefined {
  // Whatever is opened has to be closed, or it is no JSON.
  if (bytes.length <= depth * 2) return undefined;
  const isSmall = bytes.length < structureFromBytes;
  if (isSmall) {
    const half = depth >> 1;
    if (hasAtMost(bytes, 0x7b, half) && hasAtMost(bytes, 0x5b, depth - half)) return undefined;
  }
  const shapes = isSmall ? undefined : new Shapes(depth);
  const weightMax = structure * weights.key;
  let level = 0;
  let weight = 0;
  let opened = 0;
  let closed = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) {
      opened = at + 1;
      at = closingQuote(bytes, at);
      closed = at;
    } else if (byte === 0x2c) {
      weight += weights.comma;
    } else if (byte === 0x3a) {
      weight += shapes?.isKnown(level, bytes, opened, closed) === true ? weights.repeated : weights.key;
    } else if (byte === 0x7b || byte === 0x5b) {
      weight += weights.container;
      if (++level > depth) return 'depth';
      shapes?.open(level);
    } else if (byte === 0x7d || byte === 0x5d) {
      level--;
    }
    if (weight > weightMax) return 'structure';
  }
  return undefined;
}

/** The name may be written with escapes, so any escape of a small letter or of `_` is suspect too. */
const escapedName = /\\u00(?:5f|6[0-9a-f]|7[0-9a-f])/i;

function maySetPrototype(text: string): boolean {
  if (text.includes('__proto__') || text.includes('"constructor"')) return true;
  return text.includes('\\u00') && escapedName.test(text);
}

/**
 * Removes, at every depth, the keys with which a careless merge would change a prototype: `__proto__`, and a
 * `constructor` that holds a `prototype`. JSON.parse makes them plain own keys; any other `constructor` is data.
 */
export function removePrototypeKeys(value: unknown, text: string): void {
  if (!maySetPrototype(text)) return;
  const left: unknown[] = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next !== 'object' || next === null) continue;
    const fields = next as Record<string, unknown>;
    if (Object.hasOwn(fields, '__proto__')) Reflect.deleteProperty(fields, '__proto__');
    const constructed = Object.hasOwn(fields, 'constructor') ? fields.constructor : undefined;
    if (typeof constructed === 'object' && constructed !== null && Object.hasOwn(constructed, 'prototype')) {
      Reflect.deleteProperty(fields, 'constructor');
    }
    for (const key of Object.keys(fields)) left.push(fields[key]);
  }
}

/** What the beginning of a message that is not read tells about it. */
export interface MessageHint {
  readonly id: string | number | undefined;
  readonly kind: 'request' | 'response' | 'unknown';
}

/**
 * Seeks the top-level `id` in the first bytes of a message, and whether it asks or answers. Knows only what a JSON text
 * looks like so far; never throws.
 */
export function findId(prefix: Buffer): MessageHint {
  let id: string | number | undefined;
  let kind: MessageHint['kind'] = 'unknown';
  let level = 0;
  let key: string | undefined;
  for (let at = 0; at < prefix.length; at++) {
    const byte = prefix[at];
    if (byte === quote) {
      const close = closingQuote(prefix, at);
      if (close >= prefix.length) break;
      const text = prefix.toString('utf8', at, close + 1);
      at = close;
      if (level !== 1) continue;
      if (key === undefined) key = text;
      else if (key === '"id"') id = readScalar(text);
    } else if (byte === 0x7b || byte === 0x5b) {
      level++;
    } else if (byte === 0x7d || byte === 0x5d) {
      level--;
    } else if (level === 1 && byte === 0x3a) {
      if (key === '"method"' || key === '"params"') kind = 'request';
      else if ((key === '"result"' || key === '"error"') && kind === 'unknown') kind = 'response';
      else if (key === '"id"') id = readNumber(prefix, at + 1) ?? id;
    } else if (level === 1 && byte === 0x2c) {
      key = undefined;
    }
  }
  return { id, kind };
}

/** The integer that starts at `at` and is followed by something: at the very end it might go on. */
function readNumber(prefix: Buffer, at: number): number | undefined {
  const found = /^\s*(-?\d{1,16})\s*[,}]/.exec(prefix.toString('latin1', at, at + 32));
  const number = Number(found?.[1]);
  return Number.isSafeInteger(number) ? number : undefined;
}

function readScalar(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
