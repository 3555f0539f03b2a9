// Builds what users run: `node scripts/build.mjs [--if-needed]`. Writes packages/*/dist and build/plugins/*.
// Development, tests and the demo's own code run from source; the command line and plugins run from here.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, 'build/stamp.json');
/** What esbuild cannot put into one file: it finds its native addon beside itself. */
const nativePackages = ['@photostructure/sqlite'];
const shared = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  conditions: ['mmm-source'],
  absWorkingDir: root,
  logLevel: 'warning',
  legalComments: 'none',
};

const inputs = hashInputs();
if (process.argv.includes('--if-needed') && isUpToDate(inputs)) process.exit(0);
const started = process.hrtime.bigint();
rmSync(stampFile, { force: true });
const esbuild = await import('esbuild');
const outputs = [];
try {
  await Promise.all([
    buildCommand(),
    buildSdk(),
    ...libraryNames().map(buildLibrary),
    ...pluginNames().map(buildPlugin),
  ]);
} catch (error) {
  // esbuild has printed its own findings with file and line; another kind of failure has not been seen yet.
  if (!Array.isArray(error.errors)) throw error;
  process.exit(1);
}
writeDeclarations();
mkdirSync(dirname(stampFile), { recursive: true });
writeFileSync(stampFile, `${JSON.stringify({ inputs, outputs: outputs.sort() }, undefined, 2)}\n`);
console.log(`build: ${outputs.length} files in ${Number((process.hrtime.bigint() - started) / 1_000_000n)} ms.`);

/** The command line: one CommonJS file, because loading one file is what makes it start fast. */
async function buildCommand() {
  await bundle('packages/cli/src/main.ts', 'packages/cli/dist/mmm.cjs', {
    format: 'cjs',
    external: nativePackages,
    sourcemap: true,
  });
  const launcher = join(root, 'packages/cli/bin/mmm.cjs');
  if (existsSync(launcher)) chmodSync(launcher, 0o755);
}

/** The SDK: whole in one file each way, so that an author's bundle or a plain `require` needs nothing else. */
async function buildSdk() {
  for (const [source, name] of entryPoints('plugin-sdk')) {
    await bundle(source, `packages/plugin-sdk/dist/${name}.cjs`, { format: 'cjs' });
    await bundle(source, `packages/plugin-sdk/dist/${name}.js`, { format: 'esm' });
  }
}

async function buildLibrary(name) {
  for (const [source, entry] of entryPoints(name)) {
    await bundle(source, `packages/${name}/dist/${entry}.js`, { format: 'esm', packages: 'external' });
  }
}

/** A complete plugin folder in build/plugins: the bundled program and every other file as it is. */
async function buildPlugin(name) {
  const folder = join(root, 'plugins', name);
  const target = `build/plugins/${name}`;
  const isTypeScript = existsSync(join(folder, 'src/main.ts'));
  const leftOut = new Set(['.mmm', 'node_modules', ...(isTypeScript ? ['src', 'dist', 'tsconfig.json'] : [])]);
  rmSync(join(root, target), { recursive: true, force: true });
  cpSync(folder, join(root, target), { recursive: true, filter: (path) => !leftOut.has(relative(folder, path)) });
  for (const file of filesBelow(join(root, target))) outputs.push(relative(root, file));
  if (isTypeScript) await bundle(`plugins/${name}/src/main.ts`, `${target}/dist/plugin.cjs`, { format: 'cjs' });
}

async function bundle(source, target, options) {
  if (!existsSync(join(root, source))) return;
  await esbuild.build({ ...shared, ...options, entryPoints: [source], outfile: target });
  outputs.push(target);
}

/** Declarations for every library. A type error is the business of `npm run types`, not of the build. */
function writeDeclarations() {
  const target = join(root, 'build/types');
  rmSync(target, { recursive: true, force: true });
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const result = spawnSync(process.execPath, [tsc, '-p', 'scripts/tsconfig.declarations.json'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (result.status !== 0) console.log(`build: the declarations have type errors; see \`npm run types\`.`);
  for (const name of packageNames()) {
    const from = join(target, name, 'src');
    if (!existsSync(from)) continue;
    cpSync(from, join(root, 'packages', name, 'dist'), { recursive: true });
    for (const file of filesBelow(from)) outputs.push(`packages/${name}/dist/${relative(from, file)}`);
  }
}

/** The source of each subpath that a package exports, with the name of its output. */
function entryPoints(name) {
  const { exports = {} } = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
  return Object.values(exports)
    .map((conditions) => conditions['mmm-source'])
    .filter((source) => typeof source === 'string')
    .map((source) => [join('packages', name, source), source.replace(/^\.\/src\//, '').replace(/\.ts$/, '')]);
}

function packageNames() {
  return foldersIn('packages');
}

function libraryNames() {
  return packageNames().filter((name) => name !== 'plugin-sdk');
}

function pluginNames() {
  return foldersIn('plugins');
}

function foldersIn(path) {
  if (!existsSync(join(root, path))) return [];
  return readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

/** One hash over everything a build reads: contents, not times, because a checkout gives every file a new time. */
function hashInputs() {
  const hash = createHash('sha256').update(process.versions.node);
  const files = ['package-lock.json', 'tsconfig.json', 'scripts/build.mjs', 'scripts/tsconfig.declarations.json'].map(
    (file) => join(root, file),
  );
  for (const name of packageNames()) {
    files.push(join(root, 'packages', name, 'package.json'), ...filesBelow(join(root, 'packages', name, 'src')));
  }
  for (const name of pluginNames()) {
    const folder = join(root, 'plugins', name);
    files.push(...filesBelow(folder).filter((file) => !/^(?:\.mmm|node_modules)\//.test(relative(folder, file))));
  }
  for (const file of files.filter((path) => existsSync(path))) {
    const content = readFileSync(file);
    hash.update(`${relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function isUpToDate(current) {
  if (!existsSync(stampFile)) return false;
  const stamp = JSON.parse(readFileSync(stampFile, 'utf8'));
  return stamp.inputs === current && stamp.outputs.every((file) => existsSync(join(root, file)));
}
