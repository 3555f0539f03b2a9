import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';

const repository = join(import.meta.dirname, '..', '..');

interface PackageFile {
  readonly name: string;
  readonly exports: Readonly<Record<string, { readonly default: string; readonly types: string }>>;
}

/** Plain node, as a program that installed the packages has it: no source condition and no loader. */
function node(packageFolder: string, type: 'module' | 'commonjs', code: string) {
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const options = { cwd: packageFolder, encoding: 'utf8', env, timeout: 60_000 } as const;
  return spawnSync(process.execPath, ['--no-warnings', `--input-type=${type}`, '--eval', code], options);
}

before(() => {
  const built = spawnSync(process.execPath, ['scripts/build.mjs', '--if-needed'], {
    cwd: repository,
    encoding: 'utf8',
  });
  assert.equal(built.status, 0, built.stdout + built.stderr);
});

for (const folder of readdirSync(join(repository, 'packages'))) {
  const directory = join(repository, 'packages', folder);
  const { name, exports } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as PackageFile;
  for (const [subpath, files] of Object.entries(exports)) {
    const specifier = JSON.stringify(`${name}${subpath.slice(1)}`);

    test(`${name}${subpath.slice(1)} as built can be imported and required by plain node`, () => {
      for (const file of [files.default, files.types])
        assert.ok(existsSync(join(directory, file)), `${file} is missing`);
      const print = `console.log(Object.keys(built).sort().join())`;
      const imported = node(directory, 'module', `import * as built from ${specifier}; ${print}`);
      assert.equal(imported.status, 0, imported.stderr);
      const required = node(directory, 'commonjs', `const built = require(${specifier}); ${print}`);
      assert.equal(required.status, 0, required.stderr);
      assert.ok(imported.stdout.trim() !== '', 'it exports something');
      assert.equal(required.stdout, imported.stdout);
    });
  }
}

test('a plugin defined with the built SDK has the functions it was given', () => {
  const code = `
    import { definePlugin } from '@mmm/plugin-sdk';
    definePlugin({ tools: { year: { execute: () => 1970 } } });
    console.log('defined');`;
  const ran = node(join(repository, 'packages/plugin-sdk'), 'module', code);
  assert.equal(ran.stdout, 'defined\n', ran.stderr);
});

test('an error of the built library that nobody catches says what it is by name', () => {
  const code = `
    import { createHost } from '@mmm/host';
    await createHost({ home: 'relative' });`;
  const ran = node(join(repository, 'packages/host'), 'module', code);
  assert.equal(ran.status, 1);
  assert.match(ran.stderr, /^MmmError.*: The mmm home "relative" must be an absolute path/m);
});
