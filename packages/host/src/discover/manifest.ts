import { hostVersion, type Manifest, type ManifestIssue, MmmError, manifest as manifestSchema } from '@mmm/protocol';
import satisfies from 'semver/functions/satisfies.js';
import validRange from 'semver/ranges/valid.js';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import { placeProblems, problemsMessage, type Reading, readToml, unsafeData } from '../source/document.ts';
import { type Described, describeIssues, valueAt } from '../source/issues.ts';
import { describeValue, type PathPart, type Problem } from '../source/problem.ts';

/** What its problems are told with. */
const described: Described = {
  schema: manifestSchema,
  sections: ['plugin', 'limits', 'restart'],
  union: 'must be the path of a schema file or a table',
};

export type ManifestFormat = 'toml' | 'yaml';

/** Problems an error carries. Nobody reads more, and a hostile file can hold a hundred thousand. */
const issuesMax = 1000;

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
  const unsafe = await unsafeData(reading, 'the manifest');
  if (unsafe !== undefined) throw invalid(file, source, unsafe);
  const parsed = manifestSchema.safeParse(reading.value);
  const problems = [
    ...(parsed.success ? [] : describeIssues(parsed.error.issues, reading.value, described)),
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
  return readToml(text);
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

function invalid(
  file: string,
  text: string,
  issues: readonly ManifestIssue[],
  note = '',
): MmmError<'MANIFEST_INVALID'> {
  const [{ line, column } = { line: 1, column: 1 }] = issues;
  const message = problemsMessage({ intro: 'The manifest', file, text }, issues, note);
  return new MmmError('MANIFEST_INVALID', message, { file, line, column, issues: issues.slice(0, issuesMax) });
}
