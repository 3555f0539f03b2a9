import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadFileViolations, declaredEdgeViolations, importViolations } from '../../support/tidy/import-rules.ts';
import {
  fixtureViolations,
  leakViolations,
  lockFileViolations,
  strayTestViolations,
  versionViolations,
} from '../../support/tidy/repository-rules.ts';
import { blankOut, sourceFile } from '../../support/tidy/source-file.ts';
import { textViolations } from '../../support/tidy/text-rules.ts';

const declared = new Map([
  ['', new Set(['esbuild'])],
  ['packages/host', new Set(['@mmm/protocol', '@mmm/rpc', 'execa', 'semver'])],
  ['packages/plugin-sdk', new Set(['@mmm/protocol', '@mmm/rpc'])],
]);

/** Each row plants one violation: where, what, and a part of the sentence that must come out, or nothing. */
const plantedImports: readonly (readonly [path: string, text: string, expected: string | undefined])[] = [
  ['packages/plugin-sdk/src/a.ts', "import { b } from '@mmm/host';", 'plugin-sdk may import protocol, rpc'],
  ['packages/host/src/a.ts', "import { b } from '@mmm/plugin-sdk';", 'host may import'],
  ['packages/host/src/a.ts', "import { b } from '@mmm/rpc';", undefined],
  ['packages/host/src/a.ts', "import { b } from 'left-pad';", 'package.json does not name'],
  ['packages/host/src/a.ts', "const b = await import('left-pad');", 'package.json does not name'],
  ['packages/host/src/a.ts', "import { b } from '../../rpc/src/clock.ts';", 'import it by its name'],
  ['packages/host/src/a.ts', "import { join } from 'path';", 'write "node:path"'],
  ['packages/host/src/verify/a.ts', "import type { B } from '../spawn/b.ts';", 'later stage spawn'],
  ['packages/host/src/spawn/a.ts', "import type { B } from '../verify/b.ts';", undefined],
  ['packages/host/src/spawn/a.ts', "import { b } from '../verify/b.ts';", 'only `import type`'],
  ['packages/host/src/spawn/a.ts', "import { type B } from '../verify/b.ts';", 'only `import type`'],
  ['packages/host/src/spawn/a.ts', "import { b } from '../store/b.ts';", undefined],
  ['packages/host/src/spawn/a.ts', "import { b } from '../limits.ts';", undefined],
  ['packages/host/src/spawn/a.ts', "import { b } from '../host.ts';", 'only files beside the folders'],
  ['packages/host/src/store/a.ts', "import type { B } from '../spawn/b.ts';", 'know no stage'],
  ['packages/host/src/launch.ts', "import { b } from './spawn/b.ts';", undefined],
  ['packages/host/src/identity.ts', "import { b } from './spawn/b.ts';", 'only the files that wire stages'],
  ['packages/host/src/supervise/supervisor.ts', "import { b } from '../spawn/b.ts';", undefined],
  ['packages/host/src/spawn/a.ts', "import { b } from './b';", 'end in .ts'],
  ['plugins/date/src/a.ts', "import { b } from '@mmm/protocol';", 'nothing of ours but the SDK'],
  ['plugins/date/src/a.ts', "import { b } from '@mmm/plugin-sdk';", undefined],
  ['test/fixtures/plugins/echo/a.ts', "import { b } from '@mmm/plugin-sdk';", 'speak bytes'],
];

for (const [path, text, expected] of plantedImports) {
  test(`tidy ${expected === undefined ? 'accepts' : 'refuses'} ${text} in ${path}`, () => {
    const messages = importViolations([sourceFile(path, text)], declared).map(({ message }) => message);
    if (expected === undefined) assert.deepEqual(messages, []);
    else assert.ok(messages.join('\n').includes(expected), `got: ${messages.join('\n')}`);
  });
}

const plantedText: readonly (readonly [path: string, text: string, expected: string | undefined])[] = [
  ['packages/host/src/a.ts', 'setTimeout(run, 5);', 'uses a timer'],
  ['packages/host/src/a.ts', 'AbortSignal.timeout(5);', 'uses a timer'],
  ['packages/rpc/src/clock.ts', 'setTimeout(run, 5);', undefined],
  ['packages/host/src/a.ts', '// setTimeout(run, 5);', undefined],
  ['packages/host/src/a.ts', "const text = 'setTimeout';", undefined],
  ['packages/host/src/a.ts', 'const text = `a ${setTimeout} b`;', 'uses a timer'],
  ['packages/host/src/a.ts', 'const at = Date.now();', 'reads the time'],
  ['packages/host/src/a.ts', 'const at = new Date();', 'reads the time'],
  ['packages/host/src/a.ts', 'const at = new Date(now);', undefined],
  ['packages/host/src/a.ts', 'const home = process.env.HOME;', 'reads process.env'],
  ['packages/cli/src/a.ts', 'const home = process.env.HOME;', undefined],
  ['packages/host/src/a.ts', 'const here = import.meta.url;', 'uses import.meta'],
  ['packages/host/src/a.ts', 'const text = await read();', 'awaits at top level'],
  ['packages/host/src/a.ts', 'async function f() { await read(); }', undefined],
  ['packages/host/src/a.ts', "import { execa } from 'execa';", 'imports execa'],
  ['packages/host/src/spawn/a.ts', "import { execa } from 'execa';", undefined],
  ['packages/host/src/a.ts', "import type { A } from 'vscode-jsonrpc/node';", 'imports vscode-jsonrpc'],
  ['packages/host/src/a.ts', "import { setTimeout as wait } from 'timers/promises';", 'imports timers/promises'],
  ['packages/host/src/a.ts', 'let value: any;', 'says any'],
  ['packages/host/src/a.ts', 'let value: Map<string, any>;', 'says any'],
  ['packages/host/src/a.ts', 'const found = list.any(one);', undefined],
  ['packages/host/src/a.ts', "export * from './b.ts';", 'exports everything'],
  ['packages/host/src/a.ts', "export { b } from './b.ts';", 'only index.ts does'],
  ['packages/host/src/index.ts', "export { b } from './b.ts';", undefined],
  ['packages/host/src/a.ts', 'export default run;', 'default export'],
  ['packages/host/src/a.ts', 'class A extends EventEmitter {}', 'EventEmitter'],
  ['packages/host/src/a.ts', "import { z } from 'zod';", 'imports names of zod'],
  ['packages/host/src/a.ts', "import * as z from 'zod';", undefined],
  ['packages/host/src/a.ts', `// ${'TO'}DO: later`, 'to be done'],
  ['packages/host/src/utils.ts', '', 'is called utils'],
  ['packages/host/src/someThing.ts', '', 'kebab-case'],
  ['packages/host/src/a.ts', `// ${'x'.repeat(118)}`, '121 columns'],
  ['packages/host/src/a.ts', '\n'.repeat(401), '401 lines'],
  ['packages/host/src/a.ts', '\n'.repeat(400), undefined],
  ['test/process/a.test.ts', 'setTimeout(run, 5);', 'waits for a time'],
  ['test/unit/a.test.ts', "test.only('a', run);", 'remove .only'],
];

for (const [path, text, expected] of plantedText) {
  const shown = text.length > 60 ? `${text.length} characters` : text.trim();
  test(`tidy ${expected === undefined ? 'accepts' : 'refuses'} "${shown}" in ${path}`, () => {
    const messages = textViolations([sourceFile(path, text)]).map(({ message }) => message);
    if (expected === undefined) assert.deepEqual(messages, []);
    else assert.ok(messages.join('\n').includes(expected), `got: ${messages.join('\n')}`);
  });
}

test('the scanner blanks comments, strings, templates and regular expressions and keeps every offset', () => {
  const text = "a('x\\'y'); // b\nc(/[/'\"]/g, `d ${e(`f`)} g`, h / i / j); /* k\nl */ m";
  const blanked = blankOut(text);
  assert.equal(blanked.length, text.length);
  assert.equal(blanked.replace(/ +/g, ' '), "a(' '); \nc(/ /g, ` ${e(` `)} `, h / i / j); \n m");
});

test('a file that only tests import is dead', () => {
  const files = [
    sourceFile('packages/host/src/index.ts', "export { b } from './b.ts';"),
    sourceFile('packages/host/src/b.ts', ''),
    sourceFile('packages/host/src/c.ts', ''),
    sourceFile('test/unit/host/c.test.ts', "import { c } from '../../../packages/host/src/c.ts';"),
  ];
  const dead = deadFileViolations(files, new Set(['packages/host/src/index.ts']));
  assert.deepEqual(
    dead.map(({ path }) => path),
    ['packages/host/src/c.ts'],
  );
});

test('an edge that only a package.json declares counts', () => {
  const violations = declaredEdgeViolations(new Map([['packages/plugin-sdk', new Set(['@mmm/host', '@mmm/rpc'])]]));
  assert.equal(violations.length, 1);
});

test('a fixture that no test names is found', () => {
  const paths = ['test/fixtures/plugins/echo/plugin.toml', 'test/fixtures/plugins/lost/plugin.toml'];
  const violations = fixtureViolations(paths, [sourceFile('test/process/a.test.ts', "launch('echo')")]);
  assert.deepEqual(
    violations.map(({ path }) => path),
    ['test/fixtures/plugins/lost'],
  );
});

test('a test file outside of the suites is found', () => {
  assert.equal(strayTestViolations(['test/extra/a.test.ts', 'test/unit/rpc/a.test.ts', 'test/tidy.test.ts']).length, 1);
});

test('machine paths and numbers nobody can look up are found', () => {
  const text = `in ${'/wo'}rk/main, see ${'iss'}ue #12\na/wo${'rk'}/b and the work/ folder are fine`;
  assert.deepEqual(
    leakViolations([{ path: 'README.md', text }]).map(({ line }) => line),
    [1, 1],
  );
});

test('a lock file with addresses and a version range are found', () => {
  assert.equal(lockFileViolations({ path: 'package-lock.json', text: '"resolved": "https://host/a.tgz"' }).length, 1);
  const text = '{"dependencies":{"a":"^1.0.0","b":"1.2.3"}}';
  assert.equal(versionViolations({ path: 'package.json', text }).length, 1);
});
