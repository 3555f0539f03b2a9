import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorHelp } from '@mmm/protocol';
import { generatedFiles } from '../scripts/generate/generated-files.ts';
import { deadFileViolations, declaredEdgeViolations, importViolations } from './support/tidy/import-rules.ts';
import {
  declaredDependencies,
  entryFiles,
  isExecutable,
  repositoryFiles,
  root,
  sourceFiles,
} from './support/tidy/repository.ts';
import {
  fixtureViolations,
  leakViolations,
  lockFileViolations,
  strayTestViolations,
  type TextFile,
  versionViolations,
} from './support/tidy/repository-rules.ts';
import type { Violation } from './support/tidy/source-file.ts';
import { textViolations } from './support/tidy/text-rules.ts';

const paths = repositoryFiles();
const files = sourceFiles(paths);
const declared = declaredDependencies(paths);

function assertNone(violations: readonly Violation[]): void {
  const lines = violations.map(({ path, line, message }) => `  ${path}:${line} ${message}`);
  assert.equal(lines.length, 0, `${lines.length} to mend:\n${lines.join('\n')}`);
}

function read(path: string): TextFile {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}

test('imports go only where the architecture lets them', () => {
  assertNone([...importViolations(files, declared), ...declaredEdgeViolations(declared)]);
});

test('every source file is used by another one or is an entry', () => {
  assertNone(deadFileViolations(files, entryFiles(paths)));
});

test('files are short, and what has one home is used only there', () => {
  assertNone(textViolations(files));
});

test('functions have at most 70 lines', () => {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const rule = '--only=complexity/noExcessiveLinesPerFunction';
  const result = spawnSync(process.execPath, [biome, 'lint', rule, '--max-diagnostics=100', '.'], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(result.status, 0, `${result.stdout}${result.stderr}`);
});

test('every fixture plugin is named by a test and every test is run', () => {
  const tests = files.filter(({ path }) => path.startsWith('test/'));
  assertNone([...fixtureViolations(paths, tests), ...strayTestViolations(paths)]);
});

test('dependencies have exact versions and the lock file no addresses', () => {
  const manifests = paths.filter((path) => /^(?:(?:packages|plugins)\/[^/]+\/)?package\.json$/.test(path)).map(read);
  assertNone([...manifests.flatMap(versionViolations), ...lockFileViolations(read('package-lock.json'))]);
});

test('nothing in the repository says where it was written', () => {
  const isText = (path: string) => !/\.(?:png|jpg|gif|ico|wasm|gz|mmmp|node)$/.test(path);
  assertNone(leakViolations(paths.filter(isText).map(read)));
});

test('generated files are what `npm run generate` writes', () => {
  const stale = [...generatedFiles(root)].filter(([path, text]) => {
    return !existsSync(join(root, path)) || read(path).text !== text;
  });
  assert.deepEqual(
    stale.map(([path]) => path),
    [],
    'run `npm run generate`',
  );
});

test('every error code is documented once, under a number of its own', () => {
  const { text } = read('docs/errors.md');
  const headings = [...text.matchAll(/^## (E\d{4}) `([A-Z_]+)`$/gm)].map(([, number, code]) => `${number} ${code}`);
  const expected = Object.entries(errorHelp).map(([code, { number }]) => `${number} ${code}`);
  assert.deepEqual(headings.toSorted(), expected.toSorted());
  assert.equal(new Set(Object.values(errorHelp).map(({ number }) => number)).size, expected.length);
});

test('what must be executable is', () => {
  const programs = ['.ci/run', 'packages/cli/bin/mmm.cjs'];
  assert.deepEqual(programs.filter(isExecutable), programs);
});
