import { hostVersion, type Manifest, type ManifestIssue, MmmError, manifest as manifestSchema } from '@mmm/protocol';
import satisfies from 'semver/functions/satisfies.js';
import validRange from 'semver/ranges/valid.js';
import { parse as parseToml, TomlError } from 'smol-toml';
import { excerpt } from '../display/excerpt.ts';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import { describeIssues, valueAt } from './manifest-issues.ts';
import { describeValue, type PathPart, type Place, type Problem, pathText, type SourceMap } from './problem.ts';

export type ManifestFormat = 'toml' | 'yaml';

/** Nesting of tables and lists. Our own keys need five; the rest is for schemas and defaults. */
const depthMax = 32;
/** Tables, lists and values. A large schema has a thousand; finding the places of ten thousand takes half a second. */
const valuesMax = 10_000;
/** Problems an error carries. Nobody reads more, and a hostile file can hold a hundred thousand. */
const issuesMax = 1000;
/** Problems shown in the message, each with its line; a person mends these first. */
const issuesShownMax = 20;

interface Fault extends Place {
  readonly message: string;
}
type Reading =
  | { readonly value: unknown; locate(): SourceMap | Promise<SourceMap> }
  | { readonly faults: readonly Fault[] };

/**
 * Reads the text of a plugin.toml or plugin.yaml. Throws MANIFEST_INVALID with every problem, in the order of the file,
 * each with line, column and path; the message shows the lines with a caret. `file` is only named, never opened.
 */
export async function parseManifest(text: string, file: string, format: ManifestFormat): Promise<Manifest> {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const reading = await read(source, format);
  if ('faults' in reading)
    throw invalid(
      file,
      source,
      reading.faults.map((fault) => ({ ...fault, path: '' })),
    );
  const budget = { values: valuesMax };
  if (!isPlain(reading.value, 0, budget)) {
    if (budget.values >= 0) throw invalid(file, source, await placeProblems(reading, findForeign(reading.value, [])));
    const message = `the manifest holds more than ${valuesMax} values`;
    throw invalid(file, source, [{ line: 1, column: 1, path: '', message }]);
  }
  const parsed = manifestSchema.safeParse(reading.value);
  const problems = [
    ...(parsed.success ? [] : describeIssues(parsed.error.issues, reading.value)),
    ...checkRanges(reading.value),
  ];
  if (parsed.success && problems.length === 0) return parsed.data;
  throw invalid(file, source, await placeProblems(reading, problems), newerNote(reading.value));
}

/** The error for problems that only the files beside the manifest show, such as a schema file that is not there. */
export async function manifestInvalid(
  text: string,
  file: string,
  format: ManifestFormat,
  problems: readonly Problem[],
): Promise<MmmError<'MANIFEST_INVALID'>> {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const reading = await read(source, format);
  return invalid(file, source, 'faults' in reading ? [] : await placeProblems(reading, problems));
}

/** The error for bytes that are no UTF-8; it points at the first of them. */
export function invalidEncoding(bytes: Uint8Array, file: string): MmmError<'MANIFEST_INVALID'> {
  const text = new TextDecoder().decode(bytes);
  const before = text.slice(0, Math.max(text.indexOf('\uFFFD'), 0)).split('\n');
  const place = { line: before.length, column: (before.at(-1) ?? '').length + 1 };
  return invalid(file, text, [{ ...place, path: '', message: 'is not UTF-8 from here on' }]);
}

async function read(text: string, format: ManifestFormat): Promise<Reading> {
  if (text.length > hostLimits.manifestBytes) {
    return {
      faults: [{ line: 1, column: 1, message: `the manifest is longer than ${hostLimits.manifestBytes} bytes` }],
    };
  }
  if (format === 'yaml') {
    // Loading the YAML parser takes longer than reading a hundred manifests in TOML.
    const { readYaml } = await import('./yaml-source.ts');
    const read = readYaml(text);
    return 'faults' in read ? read : { value: read.value, locate: () => read.source };
  }
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

/** Whether it is all JSON, within depth and budget, without a key that could reach a prototype. Counts to the end. */
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

/** Version ranges, which a schema cannot check. Looks at the raw text's values so that all problems come at once. */
function checkRanges(raw: unknown): Problem[] {
  const dependencies = valueAt(raw, ['dependencies']);
  const paths: PathPart[][] = [['plugin', 'mmm']];
  if (Array.isArray(dependencies)) paths.push(...dependencies.map((_, index) => ['dependencies', index, 'version']));
  return paths.flatMap((path): Problem[] => {
    const range = valueAt(raw, path);
    if (typeof range !== 'string' || range === '' || range.length > 256 || validRange(range) !== null) return [];
    return [{ path, message: `must be a version range such as "^1.0", found ${describeValue(range)}`, at: 'value' }];
  });
}

/** A manifest made for another mmm may rightly hold what this one does not know. */
function newerNote(raw: unknown): string {
  const range = valueAt(raw, ['plugin', 'mmm']);
  if (typeof range !== 'string' || validRange(range) === null) return '';
  if (satisfies(hostVersion, range, { includePrerelease: true })) return '';
  return ` It was made for mmm ${safeText(range, 80)}, and this is mmm ${hostVersion}.`;
}

async function placeProblems(
  reading: Exclude<Reading, { faults: unknown }>,
  problems: readonly Problem[],
): Promise<ManifestIssue[]> {
  const map = await reading.locate();
  return problems
    .map(({ path, message, at }) => ({ ...map.find(path, at), path: pathText(path), message }))
    .sort((left, right) => left.line - right.line || left.column - right.column);
}

function invalid(
  file: string,
  text: string,
  issues: readonly ManifestIssue[],
  note = '',
): MmmError<'MANIFEST_INVALID'> {
  const [{ line, column } = { line: 1, column: 1 }] = issues;
  const name = safeText(file, 4096);
  const shown = issues
    .slice(0, issuesShownMax)
    .map(
      (issue) =>
        `${name}:${issue.line}:${issue.column}: ${issueText(issue)}\n${excerpt(text, issue.line, issue.column)}`,
    );
  const count = issues.length === 1 ? 'a problem' : `${issues.length} problems`;
  const rest = issues.length > issuesShownMax ? [`… and ${issues.length - issuesShownMax} more`] : [];
  const message = [`The manifest ${name} has ${count}.${note}`, ...shown, ...rest].join('\n');
  return new MmmError('MANIFEST_INVALID', message, { file, line, column, issues: issues.slice(0, issuesMax) });
}

function issueText({ path, message }: ManifestIssue): string {
  return `${path} ${safeText(message, 600)}`.trim();
}
