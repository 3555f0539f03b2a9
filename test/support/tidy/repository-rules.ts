import { lineAt, type SourceFile, type Violation } from './source-file.ts';

/**
 * What must not stand in a committed file, because it says where or how it was written. The words are put together here
 * so that this file does not contain them.
 */
const leaks: readonly { readonly pattern: RegExp; readonly message: string }[] = [
  { pattern: new RegExp(`(?<![\\w.-])/(?:${'wo'}rk|${'fa'}rm)/`, 'g'), message: 'names a folder of one machine' },
  { pattern: new RegExp(`\\.\\./${'sha'}red/`, 'g'), message: 'names a folder outside of the repository' },
  { pattern: new RegExp(`\\b${'iss'}ues? #?\\d+\\b`, 'gi'), message: 'names a number nobody else can look up' },
  { pattern: new RegExp(`\\b${'sand'}box session\\b`, 'gi'), message: 'speaks of where it was written' },
];

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

export function leakViolations(files: readonly TextFile[]): Violation[] {
  return files.flatMap(({ path, text }) =>
    leaks.flatMap(({ pattern, message }) =>
      [...text.matchAll(pattern)].map((match) => ({
        path,
        line: lineAt(text, match.index),
        message: `${message}: "${match[0]}"`,
      })),
    ),
  );
}

/** Download addresses belong to one machine's registry; npm finds packages by name and checks their hashes. */
export function lockFileViolations({ path, text }: TextFile): Violation[] {
  return [...text.matchAll(/"resolved": *"https?:/g)].map(({ index }) => {
    const message = 'names a download address: install with omit-lockfile-registry-resolved=true';
    return { path, line: lineAt(text, index), message };
  });
}

/** Versions are exact, so that two machines run the same code. */
export function versionViolations({ path, text }: TextFile): Violation[] {
  const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
  const wanted = { ...manifest.dependencies, ...manifest.devDependencies };
  return Object.entries(wanted)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
    .map(([name, version]) => ({ path, line: 1, message: `asks for ${name} ${version}: name one exact version` }));
}

/** A fixture that no test names is a test that was lost. Support files that start fixtures count as tests. */
export function fixtureViolations(paths: readonly string[], tests: readonly SourceFile[]): Violation[] {
  const folders = new Set(
    paths.map((path) => /^test\/fixtures\/plugins\/([^/]+)\//.exec(path)?.[1]).filter((name) => name !== undefined),
  );
  const texts = tests.filter(({ path }) => !path.startsWith('test/fixtures/')).map(({ text }) => text);
  return [...folders]
    .filter((name) => !texts.some((text) => new RegExp(`['"\`/]${name}['"\`/]`).test(text)))
    .map((name) => ({ path: `test/fixtures/plugins/${name}`, line: 1, message: 'is named by no test' }));
}

/** A test file elsewhere would never run. */
export function strayTestViolations(paths: readonly string[]): Violation[] {
  const known = /^test\/(?:(?:unit|contract|process|journeys)\/.+|tidy)\.test\.ts$/;
  return paths
    .filter((path) => /\.(?:test|spec)\.[cm]?[jt]s$/.test(path) && !known.test(path))
    .map((path) => ({ path, line: 1, message: 'is a test that no suite runs: see scripts/test.mjs' }));
}
