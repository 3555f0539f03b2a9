import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { MmmError, manifest } from '@mmm/protocol';
import { build, endBuilds, planBuild } from '../../../../packages/cli/src/dev/build.ts';
import { sourcePlaces } from '../../../../packages/cli/src/dev/source-places.ts';
import { writeFiles } from '../../../support/plugin-folder.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

after(endBuilds);

function manifestWith(command: readonly string[], capability: Record<string, unknown> = {}) {
  return manifest.parse({
    schema: 1,
    plugin: { name: 'x', version: '1.0.0', description: 'x', license: 'MIT', command },
    capabilities: [{ kind: 'tool', name: 'run', ...capability }],
  });
}

async function folderWith(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = tempFolder(t);
  await writeFiles(folder, files);
  return folder;
}

const bundled = manifestWith(['node', 'dist/plugin.cjs']);

test('there is something to build when a TypeScript entry becomes the file that the command names', async (t) => {
  const folder = await folderWith(t, { 'src/main.ts': '', 'main.cjs': '' });
  const plan = { entry: 'src/main.ts', outfile: 'dist/plugin.cjs', format: 'cjs' };
  assert.deepEqual(planBuild(folder, bundled), plan);
  assert.deepEqual(planBuild(folder, manifestWith(['node', '--enable-source-maps', './dist/plugin.cjs'])), plan);
  assert.deepEqual(planBuild(folder, manifestWith(['node', 'build/a/b.mjs'])), {
    ...plan,
    outfile: 'build/a/b.mjs',
    format: 'esm',
  });
  assert.equal(planBuild(await folderWith(t, { 'dist/plugin.cjs': '' }), bundled), null);
});

test('a build never writes over what lies outside of an output folder', async (t) => {
  const folder = await folderWith(t, { 'src/main.ts': '' });
  for (const path of [
    'main.cjs',
    'src/main.cjs',
    'dist/../main.cjs',
    '../dist/x.cjs',
    'dist/.hidden.cjs',
    'dist/x.py',
  ]) {
    assert.equal(planBuild(folder, manifestWith(['node', path])), null, path);
  }
});

test('a build that fails names each error at its place and leaves the last output as it was', async (t) => {
  const folder = await folderWith(t, { 'src/main.ts': 'export const x: number = 1;\nconsole.log(x);\n' });
  await build(folder, bundled, ['src/main.ts']);
  const before = readFileSync(join(folder, 'dist/plugin.cjs'), 'utf8');
  await writeFiles(folder, {
    'src/main.ts': 'import "./one.ts";\nimport "./two.ts";\n',
    'src/one.ts': '\nconst ä = "ö" +;\n',
    'src/two.ts': 'let y = = 1;\n',
  });
  await assert.rejects(build(folder, bundled, ['src/main.ts']), (error) => {
    assert.ok(MmmError.is(error, 'BUILD_FAILED'), String(error));
    const places = error.data.issues.map(({ file, line, column }) => `${file}:${line}:${column}`);
    assert.deepEqual(places.sort(), ['src/one.ts:2:16', 'src/two.ts:1:9']);
    assert.match(error.message, /src\/one\.ts:2:16: .*\n {3}2 \| const ä = "ö" \+;\n {5}\| {16}\^/);
    return true;
  });
  assert.equal(readFileSync(join(folder, 'dist/plugin.cjs'), 'utf8'), before);
});

test('JavaScript and schemas are looked through where nothing is built; vendored code is not', async (t) => {
  const folder = await folderWith(t, {
    'main.cjs': 'console.log(1\n',
    'vendor/x.cjs': 'broken (',
    'in.json': '{"type": }',
    'other.json': '{',
  });
  const files = ['main.cjs', 'vendor/x.cjs', 'in.json', 'other.json'];
  await assert.rejects(build(folder, manifestWith(['node', 'main.cjs'], { input: 'in.json' }), files), (error) => {
    assert.ok(MmmError.is(error, 'BUILD_FAILED'), String(error));
    assert.deepEqual(error.data.issues.map(({ file }) => file).sort(), ['in.json', 'main.cjs']);
    return true;
  });
  assert.equal(existsSync(join(folder, 'dist')), false);
  await writeFiles(folder, { 'main.cjs': 'console.log(1)\n', 'in.json': '{"type": "object"}' });
  const done = await build(folder, manifestWith(['node', 'main.cjs'], { input: 'in.json' }), files);
  assert.deepEqual(done, { plan: null, sourceMap: null, warnings: [] });
});

test('stacks of built code are told in the places of the sources', async (t) => {
  const folder = await folderWith(t, {
    'src/main.ts': 'import { fail } from "./fail.ts";\n\nfail();\n',
    'src/fail.ts': 'interface Long { a: 1; }\n\nexport function fail(): never {\n  throw new Error("x");\n}\n',
  });
  const done = await build(folder, bundled, []);
  const lines = readFileSync(join(folder, 'dist/plugin.cjs'), 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes('throw new Error')) + 1;
  const column = (lines[line - 1] ?? '').indexOf('throw') + 1;
  const places = sourcePlaces(done);
  assert.equal(places(`    at fail (/plugin/dist/plugin.cjs:${line}:${column})`), '    at fail (src/fail.ts:4:3)');
  assert.equal(places('/plugin/main.py and /plugin-x/main.py'), 'main.py and /plugin-x/main.py');
  assert.equal(places('File "/plugin/main.py", line 3'), 'File "main.py", line 3');
  assert.equal(places('at file:///plugin/lib/a.mjs:1:2'), 'at lib/a.mjs:1:2');
});
