// Runs the tests: `node scripts/test.mjs [--coverage] [part of a path …]`. With no part of a path it runs them all.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const withCoverage = process.argv.includes('--coverage');
const filters = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const unknown = process.argv.slice(2).filter((word) => word.startsWith('--') && word !== '--coverage');
if (unknown.length > 0) stop(`There is no option ${unknown.join(', ')}: only --coverage and parts of test paths.`, 2);

/** Suites of many quick tests share one process; a test that starts processes has one of its own. */
const sharedSuites = ['unit', 'contract'];
const ownProcessSuites = ['process', 'journeys'];

const files = filters.length === 0 ? everyFile() : matchingFiles();
if (files.length === 0) stop(`No test file has ${filters.map((part) => `"${part}"`).join(' or ')} in its path.`);

const folder = mkdtempSync(join(tmpdir(), 'mmm-test-totals-'));
const totalsFile = join(folder, 'totals');
const result = spawnSync(process.execPath, [...coverageArguments(), ...nodeArguments()], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, MMM_TEST_TOTALS: totalsFile },
});
const totals = existsSync(totalsFile) ? readFileSync(totalsFile, 'utf8') : '';
rmSync(folder, { recursive: true, force: true });

const exitCode = result.status ?? 1;
process.stdout.write(totals);
console.log(closingLine());
process.exit(exitCode);

function everyFile() {
  const shared = sharedSuites
    .filter((suite) => filesBelow(`test/${suite}`).length > 0)
    .map((suite) => `test/${suite}.ts`);
  return [...shared, 'test/tidy.test.ts', ...ownProcessSuites.flatMap((suite) => filesBelow(`test/${suite}`))];
}

function matchingFiles() {
  const suites = [...sharedSuites, ...ownProcessSuites].flatMap((suite) => filesBelow(`test/${suite}`));
  return [...suites, 'test/tidy.test.ts'].filter((file) => filters.some((part) => file.includes(part)));
}

function nodeArguments() {
  return [
    ...['--import', 'tsx', '--conditions=mmm-source', '--test', '--test-concurrency=2', '--test-timeout=300000'],
    // A handle that a failed test left open must not hang the whole run.
    '--test-force-exit',
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...['--test-reporter=./scripts/test-totals.mjs', '--test-reporter-destination=stderr'],
    ...files,
  ];
}

function coverageArguments() {
  if (!withCoverage) return [];
  return [
    join(root, 'node_modules/c8/bin/c8.js'),
    ...['--all', '--src=packages', '--include=packages/*/src/**', '--exclude=**/dist/**', '--exclude=**/*.d.ts'],
    ...['--reporter=text-summary', '--reporter=lcov'],
    // A few chosen tests cannot cover everything.
    ...(filters.length === 0 ? ['--check-coverage', '--lines=85'] : []),
    process.execPath,
  ];
}

function closingLine() {
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)`, 'm').exec(totals)?.[1] ?? 0);
  const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped (the reason stands beside each)` : '';
  const outcome = `${count('pass')} of ${count('tests')} tests passed${skipped}`;
  if (exitCode === 0) return `${outcome}.`;
  const failed = count('fail') + count('cancelled');
  return failed > 0 ? `${outcome}, ${failed} FAILED.` : `${outcome}, but the run FAILED: see above.`;
}

function filesBelow(path) {
  if (!existsSync(join(root, path))) return [];
  return readdirSync(join(root, path), { withFileTypes: true })
    .flatMap((entry) => {
      if (entry.isDirectory()) return filesBelow(`${path}/${entry.name}`);
      return entry.name.endsWith('.test.ts') ? [`${path}/${entry.name}`] : [];
    })
    .sort();
}

function stop(message, status = 1) {
  console.error(message);
  process.exit(status);
}
