// Builds what users run: `node scripts/build.mjs [--if-needed]`. Writes packages/*/dist and build/plugins/*.
// Development, tests and the demo's own code run from source; the command line and plugins run from here.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, 'build/stamp.json');
/** What esbuild cannot put into one file: it finds its native addon beside itself. */
const nativePackages = ['@photostructure/sqlite'];
/** What only authors of plugins need, found in node_modules when they do. */
const authorTools = ['esbuild'];
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
copyTemplates();
writeDeclarations();
compileCommand();
mkdirSync(dirname(stampFile), { recursive: true });
writeFileSync(stampFile, `${JSON.stringify({ inputs, outputs: outputs.sort() }, undefined, 2)}\n`);
console.log(`build: ${outputs.length} files in ${Number((process.hrtime.bigint() - started) / 1_000_000n)} ms.`);

/** The command line: one CommonJS file, because loading one file is what makes it start fast. */
async function buildCommand() {
  await bundle('packages/cli/src/main.ts', 'packages/cli/dist/mmm.cjs', {
    format: 'cjs',
    external: [...nativePackages, ...authorTools],
    // The launcher runs the file from a code cache, where `import()` does not work; what is left of it is external.
    supported: { 'dynamic-import': false },
    sourcemap: true,
  });
  asciiComments(join(root, 'packages/cli/dist/mmm.cjs'));
  const launcher = join(root, 'packages/cli/bin/mmm.cjs');
  if (existsSync(launcher)) chmodSync(launcher, 0o755);
}

/**
 * esbuild escapes what is not ASCII everywhere but in comments. A file of ASCII alone takes half the memory and is read
 * without decoding, at each start of the command.
 */
function asciiComments(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const ascii = lines.map((line, index) => {
    const at = line.search(/[\u0080-\uffff]/);
    if (at < 0) return line;
    if (/^\s*\*|\/\/|\/\*/.test(line.slice(0, at))) return line.replace(/[\u0080-\uffff]/g, '?');
    throw new Error(`${file}:${index + 1} has a character outside of a comment that is not ASCII: escape it.`);
  });
  writeFileSync(file, ascii.join('\n'));
}

/** Runs the command once, so that the first user already finds its code compiled (see packages/cli/bin/mmm.cjs). */
function compileCommand() {
  const home = mkdtempSync(join(tmpdir(), 'mmm-build-'));
  const command = join(root, 'packages/cli/bin/mmm.cjs');
  spawnSync(process.execPath, [command, 'plugin', 'list'], { env: { HOME: home }, stdio: 'ignore' });
  rmSync(home, { recursive: true, force: true });
}

/** The SDK: whole in one file, so that an author's bundle or a plain `require` needs nothing else. */
async function buildSdk() {
  for (const [source, name] of entryPoints('plugin-sdk')) {
    await bundle(source, `packages/plugin-sdk/dist/${name}.cjs`, { format: 'cjs' });
    await reexport(source, `packages/plugin-sdk/dist/${name}`);
  }
}

/**
 * The ES module beside a CommonJS file, with the same names. A second bundle would fail at its first `require` of a
 * built-in module, and would be a second copy of every class.
 */
async function reexport(source, target) {
  const options = { ...shared, bundle: false, format: 'esm', entryPoints: [source], outfile: `${target}.js` };
  const { metafile } = await esbuild.build({ ...options, write: false, metafile: true });
  const names = Object.values(metafile.outputs).flatMap((output) => output.exports);
  writeFileSync(
    join(root, `${target}.js`),
    `export { ${names.sort().join(', ')} } from './${basename(target)}.cjs';\n`,
  );
  outputs.push(`${target}.js`);
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

/** What `mmm plugin create` writes, beside the command: the templates and the SDK as authors get it. */
function copyTemplates() {
  const target = 'packages/cli/dist/templates';
  rmSync(join(root, target), { recursive: true, force: true });
  cpSync(join(root, 'packages/cli/templates'), join(root, target), { recursive: true });
  cpSync(join(root, 'packages/plugin-sdk/dist/index.cjs'), join(root, target, 'sdk/mmm-plugin-sdk.cjs'));
  for (const file of filesBelow(join(root, target))) outputs.push(relative(root, file));
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
  files.push(...filesBelow(join(root, 'packages/cli/templates')));
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
