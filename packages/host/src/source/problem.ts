import { safeText } from '../display/safe-text.ts';

export type PathPart = string | number;

/** One thing wrong with a file, before it is known where in the text it stands. */
export interface Problem {
  readonly path: readonly PathPart[];
  readonly message: string;
  /** What to point at: the key, or the value after it. */
  readonly at: 'key' | 'value';
}

/** A place in a text, both from 1; the column counts UTF-16 units, as editors do. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where keys and values stand in the text of a file. */
export interface SourceMap {
  /** The place of the path, or of its nearest ancestor that is written in the text. */
  find(path: readonly PathPart[], at: 'key' | 'value'): Place;
}

/** One dotted key of 256 KiB would otherwise cost its square. */
export const depthKept = 40;

export class SourceIndex implements SourceMap {
  private readonly places = new Map<string, { readonly key: Place; readonly value: Place }>();

  /**
   * The first place given for a path stays: a table header counts, not the keys below it. Deeper paths than a file
   * may have are not kept; a problem there is shown at its ancestor.
   */
  add(path: readonly PathPart[], key: Place, value: Place): void {
    if (path.length > depthKept) return;
    const id = JSON.stringify(path);
    if (!this.places.has(id)) this.places.set(id, { key, value });
  }

  find(path: readonly PathPart[], at: 'key' | 'value'): Place {
    for (let length = Math.min(path.length, depthKept); length > 0; length -= 1) {
      const found = this.places.get(JSON.stringify(path.slice(0, length)));
      if (found !== undefined) return length === path.length ? found[at] : found.key;
    }
    return { line: 1, column: 1 };
  }
}

/** `capabilities[0].name`; keys that are no bare words stand in quotes. */
export function pathText(path: readonly PathPart[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += (text === '' ? '' : '.') + (/^[A-Za-z0-9_-]{1,64}$/.test(part) ? part : `"${safeText(part, 64)}"`);
  }
  return text;
}

/** What stands there, in words: `the string "5"`, `the number 5`, `a list`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return `the string "${safeText(value, 60)}"`;
    case 'number':
    case 'bigint':
      return `the number ${value}`;
    case 'boolean':
      return String(value);
    default:
      return value instanceof Date ? 'a date' : 'a table';
  }
}
