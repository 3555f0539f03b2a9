import { parse as parseToml, TomlError } from 'smol-toml';
import { excerpt } from '../display/excerpt.ts';
import { safeText } from '../display/safe-text.ts';
import { type PathPart, type Place, type Problem, pathText, type SourceMap } from './problem.ts';

/** Nesting of tables and lists. Our own keys need five; the rest is for schemas and defaults. */
export const depthMax = 32;
/** Tables, lists and values. A large schema has a thousand; finding the places of ten thousand takes half a second. */
const valuesMax = 10_000;
/** Problems shown in a message, each with its line; a person mends these first. */
const problemsShownMax = 20;

/** One thing wrong with a text, and where. `path` is empty when it is about the text and not about a key. */
export interface PlacedProblem extends Place {
  readonly path: string;
  readonly message: string;
}
export interface Fault extends Place {
  readonly message: string;
}

/** A text read as data whose keys can still be found, or why it cannot be read. */
export type Reading =
  | { readonly value: unknown; locate(): SourceMap | Promise<SourceMap> }
  | { readonly faults: readonly Fault[] };
export type Readable = Exclude<Reading, { faults: unknown }>;

/** Reads TOML. The places of its keys are looked for only when somebody asks: that takes longer than the reading. */
export function readToml(text: string): Reading {
  try {
    const value = parseToml(text, { maxDepth: depthMax });
    return { value, locate: async () => (await import('./locate-toml.ts')).locateToml(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The rest of its message is an excerpt; ours is escaped.
    const [first = ''] = error.message.split('\n', 1);
    const message = first.replace('Invalid TOML document: ', '');
    return { faults: [{ line: error.line, column: error.column, message: `is not valid TOML: ${message}` }] };
  }
}

/** Undefined when the value is all JSON, not too large, without a key that could reach a prototype. */
export async function unsafeData(reading: Readable, what: string): Promise<readonly PlacedProblem[] | undefined> {
  const budget = { values: valuesMax };
  if (isPlain(reading.value, 0, budget)) return undefined;
  if (budget.values >= 0) return await placeProblems(reading, findForeign(reading.value, []));
  return [{ line: 1, column: 1, path: '', message: `${what} holds more than ${valuesMax} values` }];
}

/** Counts to the end. */
function isPlain(value: unknown, depth: number, budget: { values: number }): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  if (value instanceof Date || depth >= depthMax) return false;
  let plain = !Object.hasOwn(value, '__proto__');
  for (const item of Object.values(value)) {
    budget.values -= 1;
    if (budget.values < 0) return false;
    plain = isPlain(item, depth + 1, budget) && plain;
  }
  return plain;
}

/** The same question with the answer where. Inline schemas and defaults take any other value. */
function findForeign(value: unknown, path: readonly PathPart[]): Problem[] {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return [{ path, message: `must be a finite number, found ${value}`, at: 'value' }];
  }
  if (typeof value !== 'object' || value === null) return [];
  if (value instanceof Date) return [{ path, message: 'must not be a date: put it in quotes', at: 'value' }];
  if (path.length >= depthMax) return [{ path, message: `is nested deeper than ${depthMax} levels`, at: 'key' }];
  if (Array.isArray(value)) return value.flatMap((item, index) => findForeign(item, [...path, index]));
  return Object.entries(value).flatMap(([key, item]): Problem[] => {
    const child = [...path, key];
    if (key === '__proto__') return [{ path: child, message: 'is not allowed as a key', at: 'key' }];
    return findForeign(item, child);
  });
}

/** In the order of the text. */
export async function placeProblems(reading: Readable, problems: readonly Problem[]): Promise<PlacedProblem[]> {
  const map = await reading.locate();
  return problems
    .map(({ path, message, at }) => ({ ...map.find(path, at), path: pathText(path), message }))
    .sort((left, right) => left.line - right.line || left.column - right.column);
}

/** `<intro> has 2 problems.`, then each with `file:line:column` and its line with a caret. Safe to print. */
export function problemsMessage(
  source: { readonly intro: string; readonly file: string; readonly text: string },
  problems: readonly PlacedProblem[],
  note = '',
): string {
  const name = safeText(source.file, 4096);
  const shown = problems.slice(0, problemsShownMax).map(({ line, column, path, message }) => {
    const sentence = `${path} ${safeText(message, 600)}`.trim();
    return `${name}:${line}:${column}: ${sentence}\n${excerpt(source.text, line, column)}`;
  });
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const rest = problems.length > problemsShownMax ? [`… and ${problems.length - problemsShownMax} more`] : [];
  return [`${source.intro} ${name} has ${count}.${note}`, ...shown, ...rest].join('\n');
}
