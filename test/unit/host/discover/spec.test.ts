import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { type ErrorCode, MmmError } from '@mmm/protocol';
import { readSpec } from '../../../../packages/host/src/discover/spec.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const section = '[plugin]\nname = "acme/adder"\nversion = "1.0.0"\ndescription = "A"\nlicense = "MIT"\n';
const manifest = `schema = 1\n${section}command = ["node", "x.cjs"]\n`;

/** Lays files into a folder; a value `-> x` is a link, `dir` an empty folder. */
function lay(directory: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) {
    const file = join(directory, name);
    mkdirSync(dirname(file), { recursive: true });
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), file);
    else if (text === 'dir') mkdirSync(file);
    else writeFileSync(file, text);
  }
  return directory;
}

async function refusal<C extends ErrorCode>(directory: string, code: C): Promise<MmmError<C>> {
  const error = await readSpec(directory, 'path').then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(MmmError.is(error, code), `expected ${code}, got ${String(error)}`);
  return error;
}

test('a spec is read from plugin.toml with the hash of its exact bytes', async (t) => {
  const directory = lay(tempFolder(t), { 'plugin.toml': manifest });
  const spec = await readSpec(directory, 'user');
  assert.equal(spec.id, 'acme/adder');
  assert.equal(spec.origin, 'user');
  assert.equal(spec.directory, realpathSync(directory));
  assert.equal(spec.manifestFile, join(realpathSync(directory), 'plugin.toml'));
  assert.equal(spec.manifestSha256, createHash('sha256').update(manifest).digest('hex'));
  assert.deepEqual(spec.manifest.plugin.protocol, [1]);
});

test('a spec is frozen all the way down', async (t) => {
  const input = '{ type = "object", required = ["a"] }';
  const text = `${manifest}[[capabilities]]\nkind = "tool"\nname = "x"\ninput = ${input}\n`;
  const { manifest: read } = await readSpec(lay(tempFolder(t), { 'plugin.toml': text }), 'user');
  const [capability] = read.capabilities;
  assert.ok(Object.isFrozen(read.capabilities) && Object.isFrozen(read.plugin.command));
  assert.ok(typeof capability?.input === 'object' && Object.isFrozen(capability.input.required));
});

test('plugin.yaml is read through the same schema', async (t) => {
  const yaml = 'schema: 1\nplugin: {name: adder, version: 1.0.0, description: A, license: MIT, command: [adder]}\n';
  assert.equal((await readSpec(lay(tempFolder(t), { 'plugin.yaml': yaml }), 'user')).id, 'adder');
});

test('a link to a plugin folder is followed and the spec names the real folder', async (t) => {
  const root = tempFolder(t);
  lay(root, { 'store/abc/plugin.toml': manifest, 'plugins/acme__adder': '-> ../store/abc' });
  const spec = await readSpec(join(root, 'plugins/acme__adder'), 'installed');
  assert.equal(spec.directory, realpathSync(join(root, 'store/abc')));
});

const unreadable: readonly (readonly [name: string, files: Record<string, string>, reason: RegExp])[] = [
  ['without a manifest', { 'README.md': 'x' }, /neither plugin\.toml nor plugin\.yaml/],
  [
    'with both manifests',
    { 'plugin.toml': manifest, 'plugin.yaml': 'schema: 1' },
    /both plugin\.toml and plugin\.yaml/,
  ],
  ['whose manifest is a link', { real: manifest, 'plugin.toml': '-> real' }, /it is a link/],
  ['whose manifest is a folder', { 'plugin.toml': 'dir' }, /not a regular file/],
  [
    'whose manifest is too large',
    { 'plugin.toml': `${manifest}#${'x'.repeat(300_000)}` },
    /has \d+ bytes; at most 262144/,
  ],
];
for (const [name, files, reason] of unreadable) {
  test(`a folder ${name} is unreadable and the reason is said`, async (t) => {
    const error = await refusal(lay(tempFolder(t), files), 'MANIFEST_UNREADABLE');
    assert.match(error.message, reason);
    assert.match(error.data.reason, reason);
  });
}

test('a folder that is missing, a file, or a loop of links is unreadable', async (t) => {
  const root = lay(tempFolder(t), { file: 'x', loop: '-> loop' });
  for (const name of ['missing', 'file', 'loop']) await refusal(join(root, name), 'MANIFEST_UNREADABLE');
});

test('a folder name cannot reach the terminal as it is', async (t) => {
  const error = await refusal(lay(join(tempFolder(t), 'a\x1b[2J'), { x: '' }), 'MANIFEST_UNREADABLE');
  assert.ok(error.message.includes('a\\u{1b}[2J') && !error.message.includes('\x1b'));
});

test('bytes that are no UTF-8 are refused with their place', async (t) => {
  const directory = tempFolder(t);
  writeFileSync(
    join(directory, 'plugin.toml'),
    Buffer.concat([Buffer.from('schema = 1\n# a'), Buffer.from([0xff, 0xfe])]),
  );
  const error = await refusal(directory, 'MANIFEST_INVALID');
  assert.deepEqual([error.data.line, error.data.column], [2, 4]);
});

const files: readonly (readonly [name: string, toml: string, files: Record<string, string>, issue: string])[] = [
  [
    'an icon that is missing',
    'icon = "i.png"',
    {},
    '8:8: plugin.icon names "i.png", which is not in the plugin folder',
  ],
  ['an icon that is a folder', 'icon = "i"', { 'i/x': '' }, '8:8: plugin.icon names "i", which is not a regular file'],
  [
    'an icon that is a link',
    'icon = "i"',
    { x: '', i: '-> x' },
    '8:8: plugin.icon names "i", which is a link; a plugin holds only regular files',
  ],
  [
    'an icon below a link',
    'icon = "d/i"',
    { 'e/i': '', d: '-> e' },
    '8:8: plugin.icon names "d", which is a link; a plugin holds only regular files',
  ],
  ['an icon below a file', 'icon = "d/i"', { d: '' }, '8:8: plugin.icon names "d", which is not a folder'],
  [
    'a config schema that is missing',
    '[config]\nschema = "c.json"',
    {},
    '9:10: config.schema names "c.json", which is not in the plugin folder',
  ],
  [
    'an input schema that is missing',
    '[[capabilities]]\nkind = "tool"\nname = "x"\ninput = "in.json"',
    {},
    '11:9: capabilities[0].input names "in.json", which is not in the plugin folder',
  ],
];
for (const [name, toml, others, expected] of files) {
  test(`${name} is a problem of the manifest`, async (t) => {
    const error = await refusal(
      lay(tempFolder(t), { 'plugin.toml': `${manifest}${toml}\n`, ...others }),
      'MANIFEST_INVALID',
    );
    assert.deepEqual(
      error.data.issues.map((one) => `${one.line}:${one.column}: ${one.path} ${one.message}`),
      [expected],
    );
  });
}

const commands: readonly (readonly [program: string, answer: RegExp | undefined])[] = [
  ['bin/run', undefined],
  ['./bin/run', undefined],
  ['anything', undefined],
  ['bin/gone', /"bin\/gone", which is not in the plugin folder/],
  ['bin/link', /is a link/],
  ['bin', undefined],
  ['./bin', /not a regular file/],
  ['/bin/sh', /a path inside the plugin folder/],
  ['../run', /a path inside the plugin/],
  ['bin/../../run', /a path inside the plugin/],
];
for (const [program, answer] of commands) {
  test(`the command "${program}" is ${answer === undefined ? 'taken' : 'refused'}`, async (t) => {
    const text = `schema = 1\n${section}command = ["${program}"]\n`;
    const directory = lay(tempFolder(t), { 'plugin.toml': text, 'bin/run': '', 'bin/link': '-> /bin/sh' });
    if (answer === undefined) await readSpec(directory, 'path');
    else assert.match((await refusal(directory, 'MANIFEST_INVALID')).message, answer);
  });
}

test('only the program for this platform must be there', async (t) => {
  const here = `${process.platform}-${process.arch}`;
  const elsewhere = here === 'win32-ia32' ? 'linux-x64' : 'win32-ia32';
  const targets = `[targets.${here}]\ncommand = ["bin/here"]\n[targets.${elsewhere}]\ncommand = ["bin/elsewhere"]\n`;
  const directory = lay(tempFolder(t), { 'plugin.toml': `schema = 1\n${section}${targets}` });
  assert.match(
    (await refusal(directory, 'MANIFEST_INVALID')).message,
    new RegExp(`targets\\.${here}\\.command\\[0\\]`),
  );
  lay(directory, { 'bin/here': '' });
  await readSpec(directory, 'path');
});

test('a plugin for another mmm is incompatible, and readable where that does not matter', async (t) => {
  const directory = lay(tempFolder(t), { 'plugin.toml': `${manifest}mmm = "^99.0"\n` });
  assert.equal((await refusal(directory, 'PLUGIN_INCOMPATIBLE')).data.needs, 'mmm ^99.0');
  assert.equal((await readSpec(directory, 'path', null)).id, 'acme/adder');
});
