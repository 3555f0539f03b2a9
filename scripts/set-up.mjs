// Makes a clean clone ready: `node scripts/set-up.mjs demo|test|bench|chaos`. Needs nothing but Node. When everything
// is there already it prints one line, changes nothing and does not touch the network.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const purpose = process.argv[2] ?? 'demo';
const nodeMinimum = [20, 19];
/** Where the host looks for programs; a version manager's shim elsewhere is of no use inside a sandbox. */
const programPath = ['/usr/local/bin', '/usr/bin', '/bin'];
/** Long enough for a slow mirror, short enough that a machine without network does not seem to hang. */
const packageManagerTimeoutMs = 5 * 60_000;

/** What the operating system must bring: a Debian package, the files that prove it is there, and what it is for. */
const systemPackages = [
  { name: 'bubblewrap', programs: ['bwrap'], purposes: ['demo', 'test', 'bench', 'chaos'], use: 'confines plugins' },
  { name: 'socat', programs: ['socat'], purposes: ['demo', 'test'], use: 'carries granted network traffic' },
  {
    name: 'util-linux',
    programs: ['prlimit', 'setpriv', 'unshare'],
    purposes: ['demo', 'test', 'bench', 'chaos'],
    use: 'limits plugins and drops their rights',
  },
  { name: 'python3', programs: ['python3'], purposes: ['demo', 'test', 'chaos'], use: 'runs plugins in Python' },
  { name: 'git', programs: ['git'], purposes: ['demo', 'test'], use: 'is what the git plugin drives' },
  { name: 'gcc', programs: ['gcc'], purposes: ['test', 'chaos'], use: 'compiles plugins in C' },
  { name: 'strace', programs: ['strace'], purposes: ['test'], use: 'makes disks fail in tests' },
  { name: 'libc6-dev', files: ['/usr/include/stdio.h'], purposes: ['test', 'chaos'], use: 'compiles plugins in C' },
];

if (!['demo', 'test', 'bench', 'chaos'].includes(purpose)) {
  fail(`set-up takes demo, test, bench or chaos, not "${purpose}".`, 2);
}
checkNode();
const did = [installNodePackages(), installSystemPackages(), build()].filter((step) => step !== undefined);
const lacking = missingSystemPackages().map(({ name }) => name);
const state = lacking.length === 0 ? 'everything is there' : `ready, without ${lacking.join(', ')}`;
console.log(`set-up: ${did.length === 0 ? state : `done (${did.join(', ')})`}.`);

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > nodeMinimum[0] || (major === nodeMinimum[0] && minor >= nodeMinimum[1])) return;
  fail(`mmm needs Node ${nodeMinimum.join('.')} or newer; this is ${process.versions.node}. Install a newer Node.`);
}

function installNodePackages() {
  const difference = nodePackagesDifference();
  if (difference === undefined) return undefined;
  console.log(`set-up: installing Node packages (${difference}) …`);
  // npm names itself to the scripts it runs; outside of npm the one on the PATH will do.
  const npm = process.env.npm_execpath;
  const [program, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const result = spawnSync(
    program,
    [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=warn', '--no-progress'],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  for (const line of output.split('\n')) if (line.includes('EBADENGINE')) console.error(line);
  if (result.status === 0) return 'Node packages';
  console.error(output.trimEnd());
  return fail(`npm ci failed${result.error ? ` (${result.error.message})` : ''}. Its own words are above.`);
}

/** What npm wrote down about node_modules, compared with the lock file: undefined when they agree. */
function nodePackagesDifference() {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return 'there are none yet';
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    const found = installed[path];
    // Optional packages of other platforms are never installed; the root stands only in the lock file.
    if (found === undefined && (path === '' || entry.optional === true)) continue;
    const same = found?.version === entry.version && found?.integrity === entry.integrity;
    if (!same || !existsSync(join(root, path))) return `${path} is not what package-lock.json says`;
  }
  const extra = Object.keys(installed).find((path) => wanted[path] === undefined);
  return extra === undefined ? undefined : `${extra} is not in package-lock.json`;
}

function installSystemPackages() {
  const missing = missingSystemPackages();
  if (missing.length === 0) return undefined;
  const names = missing.map(({ name }) => name);
  if (process.getuid?.() === 0 && isExecutable('/usr/bin/apt-get')) {
    console.log(`set-up: installing ${names.join(', ')} with apt-get …`);
    aptGet(['update'], 'refreshing the list of packages');
    aptGet(['install', '--yes', '--no-install-recommends', ...names], `installing ${names.join(', ')}`);
  }
  const still = missingSystemPackages();
  if (still.length === 0) return names.join(', ');
  explainMissing(still);
  if (['demo', 'chaos'].includes(purpose) && still.some(({ name }) => name === 'bubblewrap')) {
    fail('Without bubblewrap no plugin can be confined, and mmm starts none unconfined.');
  }
  return undefined;
}

function missingSystemPackages() {
  return systemPackages.filter(({ purposes, programs = [], files = [] }) => {
    const programsFound = programs.every((name) => programPath.some((folder) => isExecutable(join(folder, name))));
    return purposes.includes(purpose) && !(programsFound && files.every((file) => existsSync(file)));
  });
}

function aptGet(words, doing) {
  const options = ['-q', '-o', 'DPkg::Lock::Timeout=60', '-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=30'];
  const result = spawnSync('/usr/bin/apt-get', [...options, ...words], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: packageManagerTimeoutMs,
  });
  if (result.status === 0) return;
  const tail = `${result.stdout ?? ''}${result.stderr ?? ''}`.trimEnd().split('\n').slice(-12).join('\n');
  const why = result.error?.code === 'ETIMEDOUT' ? `took over ${packageManagerTimeoutMs / 1000} s` : 'failed';
  console.error(`set-up: ${doing} ${why}:\n${tail}`);
}

function explainMissing(packages) {
  const skipped = packages.map(({ name, use }) => `  ${name}: ${use}`);
  console.error(
    [
      'set-up: these packages of the operating system are missing; what needs them is skipped:',
      ...skipped,
      'Install them with this command, then run this again:',
      `  sudo apt-get install --yes --no-install-recommends ${packages.map(({ name }) => name).join(' ')}`,
    ].join('\n'),
  );
}

function build() {
  const result = spawnSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-needed'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (result.status === 0) return result.stdout.trim() === '' ? undefined : 'build';
  console.error(result.stdout.trimEnd());
  return fail('The build failed; the reason is above.');
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function fail(message, exitCode = 1) {
  console.error(message);
  process.exit(exitCode);
}
