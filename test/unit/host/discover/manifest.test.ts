import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Manifest, MmmError } from '@mmm/protocol';
import { type ManifestFormat, parseManifest } from '../../../../packages/host/src/discover/manifest.ts';

const fixtures = join(import.meta.dirname, '../../../fixtures/manifests');
const head =
  'schema = 1\nplugin = { name = "a", version = "1.0.0", description = "A", license = "MIT", command = ["a"] }\n';
const yamlHead = 'schema: 1\nplugin: { name: a, version: 1.0.0, description: A, license: MIT, command: [a] }\n';

function formatOf(file: string): ManifestFormat {
  return file.endsWith('.toml') ? 'toml' : 'yaml';
}

async function refusal(
  text: string,
  format: ManifestFormat,
  file = `plugin.${format}`,
): Promise<MmmError<'MANIFEST_INVALID'>> {
  const error = await parseManifest(text, file, format).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(MmmError.is(error, 'MANIFEST_INVALID'), `expected MANIFEST_INVALID, got ${String(error)}`);
  return error;
}

for (const file of readdirSync(join(fixtures, 'valid'))) {
  test(`the manifest valid/${file} is read`, async () => {
    const text = readFileSync(join(fixtures, 'valid', file), 'utf8');
    assert.equal((await parseManifest(text, file, formatOf(file))).schema, 1);
  });
}

for (const file of readdirSync(join(fixtures, 'invalid'))) {
  test(`the manifest invalid/${file} is refused with exactly the problems it announces`, async () => {
    const text = readFileSync(join(fixtures, 'invalid', file), 'utf8');
    const expected = /^(?:# \d+:\d+: .*\r?\n)+/
      .exec(text)?.[0]
      .trim()
      .split(/\r?\n/)
      .map((line) => line.slice(2));
    const error = await refusal(text, formatOf(file), file);
    const found = error.data.issues.map(
      ({ line, column, path, message }) => `${line}:${column}: ${path}${path === '' ? '' : ' '}${message}`,
    );
    assert.deepEqual(found, expected);
    assert.deepEqual([error.data.line, error.data.column], [error.data.issues[0]?.line, error.data.issues[0]?.column]);
    assert.doesNotMatch(error.message, /[^\n\P{Cc}]/u);
  });
}

test('the maximal manifest uses every key of the schema', async () => {
  const read = await parseManifest(readFileSync(join(fixtures, 'valid/maximal.toml'), 'utf8'), 'maximal.toml', 'toml');
  const { pluginSection, capabilitySection, limitsSection, restartSection, permissionEntries, manifest } = await import(
    '@mmm/protocol'
  );
  const missing = (shape: object, value: object): string[] =>
    Object.keys(shape).filter((key) => !Object.hasOwn(value, key));
  assert.deepEqual(missing(manifest.shape, read), []);
  assert.deepEqual(missing(pluginSection.shape, read.plugin), []);
  assert.deepEqual(missing(capabilitySection.shape, Object.assign({}, ...read.capabilities)), []);
  assert.deepEqual(missing(limitsSection.shape, read.limits), []);
  assert.deepEqual(missing(restartSection.shape, read.restart), []);
  assert.deepEqual(missing(permissionEntries, read.permissions), []);
});

test('the same manifest in YAML reads as the same value', async () => {
  const capability = { kind: 'tool', name: 'x', input: { type: 'object' } };
  const toml = `${head}[[capabilities]]\nkind = "tool"\nname = "x"\ninput = { type = "object" }\n`;
  const yaml = `${yamlHead}capabilities: ${JSON.stringify([capability])}\n`;
  const read: Manifest = await parseManifest(toml, 'plugin.toml', 'toml');
  assert.deepEqual(
    JSON.parse(JSON.stringify(await parseManifest(yaml, 'plugin.yaml', 'yaml'))),
    JSON.parse(JSON.stringify(read)),
  );
});

test('the message shows file, line, column, path and the line with a caret', async () => {
  const error = await refusal(`${head}[limits]\nfiles = 2\n`, 'toml', '/p/plugin.toml');
  assert.equal(
    error.message,
    [
      'The manifest /p/plugin.toml has a problem.',
      '/p/plugin.toml:4:9: limits.files must be at least 8, found the number 2',
      '   4 | files = 2',
      '     |         ^',
    ].join('\n'),
  );
});

test('a manifest made for a newer mmm is refused with that explanation first', async () => {
  const error = await refusal(`${head.replace('}', ', mmm = "^9.1" }')}novelty = 1\n`, 'toml');
  assert.match(
    error.message,
    /^The manifest plugin\.toml has a problem\. It was made for mmm \^9\.1, and this is mmm \d/,
  );
});

test('a byte order mark does not count', async () => {
  assert.equal((await parseManifest(`\uFEFF${head}`, 'plugin.toml', 'toml')).plugin.name, 'a');
  assert.equal((await refusal(`\uFEFFx = 1`, 'toml')).data.column, 1);
});

test('prototype keys reach no prototype', async () => {
  const read = await parseManifest(
    `${head}[config.defaults.constructor.prototype]\npolluted = true\n`,
    'plugin.toml',
    'toml',
  );
  assert.ok(Object.hasOwn(read.config?.defaults ?? {}, 'constructor'));
  assert.equal(Reflect.get({}, 'polluted'), undefined);
});

test('thousands of problems give a bounded error that says how many there are', async () => {
  const error = await refusal(head + Array.from({ length: 5000 }, (_, index) => `x${index} = 1\n`).join(''), 'toml');
  assert.equal(error.data.issues.length, 1000);
  assert.match(error.message, /has 5000 problems/);
  assert.match(error.message, /and 4980 more$/);
});

test('a manifest over 256 KiB is refused unread', async () => {
  const error = await refusal(`${head}# ${'x'.repeat(256 * 1024)}`, 'toml');
  assert.match(error.message, /longer than 262144 bytes/);
});

const hostile: readonly (readonly [name: string, text: string])[] = [
  ['brackets', '['.repeat(250_000)],
  ['braces', '{a: '.repeat(60_000)],
  ['dashes', '- '.repeat(120_000)],
  ['question marks', '? '.repeat(120_000)],
  ['colons', ': '.repeat(120_000)],
  ['anchors', '&a '.repeat(80_000)],
  ['tags', '!!a '.repeat(60_000)],
  ['keys', Array.from({ length: 26_000 }, (_, index) => `k${index}: 1\n`).join('')],
  ['dashes of many lines', Array.from({ length: 700 }, (_, index) => `${' '.repeat(index)}- a:\n`).join('')],
  ['dotted keys', `${'a.'.repeat(120_000)}a = 1`],
  ['inline tables', `x = ${'{a='.repeat(80_000)}`],
  ['table headers', Array.from({ length: 20_000 }, (_, index) => `[a.b${index}]\n`).join('')],
  ['numbers', `x = [${'1,'.repeat(120_000)}]`],
  ['no numbers', `x = [${'nan,'.repeat(60_000)}]`],
  ['open strings', '"""'.repeat(80_000)],
  ['nothing', ''],
  ['null bytes', '\0'.repeat(1000)],
];
for (const [name, text] of hostile) {
  for (const format of ['toml', 'yaml'] as const) {
    test(`a hostile manifest of ${name} is refused as ${format}`, async () => {
      await refusal(text, format);
    });
  }
}
