import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KeyRing, type SigningKey } from '@mmm/bundle';
import { createHost, type Host, MmmError, signPlugin } from '@mmm/host';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const isCode = (code: MmmError['code']) => (error: unknown) => error instanceof MmmError && error.code === code;

/** A folder with the echo plugin, called and permitted as wished, not signed yet. */
function pluginFolder(directory: string, name: string, version = '1.0.0', more = ''): string {
  const folder = copyFixture({ behaviour: 'echo', more }, join(directory, `${name.replaceAll('/', '__')}-${version}`));
  const file = join(folder, 'plugin.toml');
  const manifest = readFileSync(file, 'utf8').replace('name = "echo"', `name = ${JSON.stringify(name)}`);
  writeFileSync(file, manifest.replace('version = "1.0.0"', `version = "${version}"`));
  return folder;
}

/** Another publisher, trusted for everything. */
async function stranger(t: TestContext, host: Host): Promise<SigningKey> {
  const key = await new KeyRing(join(tempFolder(t), 'keys')).create('stranger');
  await host.trustKey({ publicKey: key.publicKey, name: 'stranger', scopes: ['*'] });
  return key;
}

const names = {
  'a way up': '../x',
  'a letter of another alphabet': '\u0430cme/echo',
  'a full-width letter': '\uff45cho',
  'three hundred letters': 'a'.repeat(300),
  'a prototype': '__proto__',
  'three parts': 'a/b/c',
  'an option': '-rf',
  'two dashes in a row': 'acme/http--request',
  'an end that nobody sees': 'echo\u200b',
  capitals: 'Echo',
  'a line end': 'echo\n',
  nothing: '',
};
for (const [what, name] of Object.entries(names)) {
  test(`a plugin whose name is ${what} is neither signed, inspected nor installed`, async (t) => {
    const { host, home, directory } = await fixtureHost(t, []);
    const folder = pluginFolder(directory, 'acme/echo');
    await signPlugin(folder, await host.keys.get('test'));
    const manifest = readFileSync(join(folder, 'plugin.toml'), 'utf8');
    writeFileSync(join(folder, 'plugin.toml'), manifest.replace('"acme/echo"', JSON.stringify(name)));
    for (const method of ['sign', 'inspect', 'install', 'verify'] as const) {
      await assert.rejects(host[method](folder), isCode('MANIFEST_INVALID'), method);
    }
    assert.deepEqual(readdirSync(join(home, 'plugins')), []);
    writeFileSync(join(folder, 'plugin.toml'), manifest);
    assert.equal((await host.install(folder)).id, 'acme/echo');
  });
}

const lookAlikes = { 'http-request': true, httprequest: true, 'http/request': true, http_requests: false };
for (const [name, isAlike] of Object.entries(lookAlikes)) {
  test(`"${name}" by a stranger is ${isAlike ? '' : 'not '}taken for "http_request"`, async (t) => {
    const { host, home, directory } = await fixtureHost(t, [{ behaviour: 'echo', name: 'http_request' }]);
    const folder = pluginFolder(directory, name);
    await signPlugin(folder, await stranger(t, host));
    const expected = isAlike ? ['http_request'] : [];
    assert.deepEqual((await host.inspect(folder)).similar, expected);
    await host.close();
    const looked = await mmm({ home, cwd: directory }, 'plugin', 'inspect', folder);
    assert.equal(/easily taken for http_request/.test(looked.stdout), isAlike);
    const installed = await mmm({ home, cwd: directory }, 'plugin', 'install', folder);
    assert.equal(installed.code, 0, installed.stderr);
    assert.equal(/^Careful: .* is easily taken for http_request/.test(installed.stderr), isAlike);
    const log = (await mmm({ home }, 'audit', 'list', '--plugin', name, '--json')).json() as {
      entries: { action: string; detail: { similar?: string[] } }[];
    };
    assert.deepEqual(log.entries.find(({ action }) => action === 'install')?.detail.similar ?? [], expected);
  });
}

test('digits for letters and two letters for one look alike too; own plugins and updates are no news', async (t) => {
  const { host, directory } = await fixtureHost(t, [
    { behaviour: 'echo', name: 'calculator' },
    { behaviour: 'echo', name: 'modem' },
  ]);
  const theirs = await stranger(t, host);
  const installed = async (name: string, key: SigningKey, version = '1.0.0') => {
    const folder = pluginFolder(directory, name, version);
    await signPlugin(folder, key);
    return (await host.install(folder)).similar;
  };
  assert.deepEqual(await installed('ca1culat0r', theirs), ['calculator']);
  assert.deepEqual(await installed('rnodern', theirs), ['modem']);
  assert.deepEqual(await installed('ca1culat0r', theirs, '1.0.1'), []);
  assert.deepEqual(await installed('mo-dem', await host.keys.get('test')), ['rnodern'], 'its own is none of them');
  const unsigned = pluginFolder(directory, 'calcul-ator');
  assert.deepEqual((await host.install(unsigned, { allowUnsigned: 'calcul-ator' })).similar, [
    'ca1culat0r',
    'calculator',
  ]);
});

/** What may happen to a signed folder on its way, and how it is refused. */
const damages: Readonly<Record<string, readonly [MmmError['code'], (folder: string, other: string) => void]>> = {
  'asks for more than was signed': [
    'BUNDLE_CHANGED',
    (folder) => appendFileSync(join(folder, 'plugin.toml'), '[[permissions.commands]]\nname = "bash"\n'),
  ],
  'has a file more': ['BUNDLE_CHANGED', (folder) => writeFileSync(join(folder, 'more.cjs'), '')],
  'has a file less': ['BUNDLE_CHANGED', (folder) => rmSync(join(folder, 'README'))],
  'has a program that was none': ['BUNDLE_CHANGED', (folder) => chmodSync(join(folder, 'README'), 0o755)],
  'has a link in the place of a file': [
    'BUNDLE_CHANGED',
    (folder) => {
      renameSync(join(folder, 'README'), `${folder}-readme`);
      symlinkSync(`${folder}-readme`, join(folder, 'README'));
    },
  ],
  'has a file of two names': ['BUNDLE_CHANGED', (folder) => linkSync(join(folder, 'README'), `${folder}-readme`)],
  'has the signature of another plugin': [
    'SIGNATURE_REJECTED',
    (folder, other) => cpSync(join(other, '.mmm/signatures.json'), join(folder, '.mmm/signatures.json')),
  ],
  'has the index and the signature of another plugin': [
    'BUNDLE_INVALID',
    (folder, other) => cpSync(join(other, '.mmm'), join(folder, '.mmm'), { recursive: true }),
  ],
  'has lost its signature': ['SIGNATURE_MISSING', (folder) => rmSync(join(folder, '.mmm/signatures.json'))],
};
for (const [what, [code, damage]] of Object.entries(damages)) {
  test(`a plugin that ${what} is refused by its name, that is recorded, and nothing of it stays`, async (t) => {
    const { host, home, directory } = await fixtureHost(t, []);
    const [folder, other] = [pluginFolder(directory, 'echo'), pluginFolder(directory, 'other')];
    const key = await host.keys.get('test');
    for (const one of [folder, other]) {
      writeFileSync(join(one, 'README'), 'Says what it is told.\n');
      await signPlugin(one, key);
    }
    const intact = `${folder}-intact`;
    cpSync(folder, intact, { recursive: true });
    damage(folder, other);
    await assert.rejects(host.install(folder), isCode(code));
    const [entry, ...more] = host.audit.list({ plugin: 'echo' });
    assert.deepEqual([entry?.action, entry?.detail.error, more], ['refused', code, []]);
    assert.deepEqual([readdirSync(join(home, 'store')), readdirSync(join(home, 'plugins'))], [[], []]);
    assert.equal((await host.install(intact)).change, 'installed');
  });
}

test('a key that is trusted for development lets nothing in and nothing run; as a publisher it does', {
  ...confined,
}, async (t) => {
  const directory = tempFolder(t);
  const searchPath = [{ directory: join(directory, 'user'), origin: 'user' as const }];
  const host = await createHost({ home: join(directory, 'home'), searchPath });
  t.after(() => host.close());
  const key = await new KeyRing(join(directory, 'keys')).create('developer');
  const trust = { publicKey: key.publicKey, name: 'developer', scopes: ['*'] };
  await host.trust.add({ ...trust, role: 'dev' }, new Date());
  const found = copyFixture({ behaviour: 'echo' }, join(directory, 'user'));
  const run = async () => (await (await host.plugin('echo')).execute('run', 1)).output;
  await assert.rejects(run(), isCode('SIGNATURE_MISSING'));
  await signPlugin(found, key);
  await assert.rejects(run(), isCode('KEY_ROLE_WRONG'));
  await assert.rejects(host.install(found), isCode('KEY_ROLE_WRONG'));
  assert.deepEqual(
    host.audit.list({ action: 'refused' }).map(({ detail }) => `${detail.what} ${detail.error}`),
    ['launch SIGNATURE_MISSING', 'launch KEY_ROLE_WRONG', 'install KEY_ROLE_WRONG'],
  );
  await host.trust.add({ ...trust, role: 'publisher' }, new Date());
  assert.equal(await run(), 1);
});

/** Two hosts of one home, as two processes are. */
async function twoHosts(t: TestContext): Promise<FixtureHost & { readonly second: Host }> {
  const world = await fixtureHost(t, []);
  const second = await createHost({ home: world.home });
  t.after(() => second.close());
  return { ...world, second };
}

async function activeVersion({ home }: { readonly home: string }): Promise<unknown> {
  return (await mmm({ home }, 'plugin', 'info', 'echo', '--json')).json().version;
}

test('of two publishers whose plugins of one name are installed at once one is refused, and recorded', async (t) => {
  const world = await twoHosts(t);
  const { host, second, directory } = world;
  const [mine, theirs] = [pluginFolder(directory, 'echo'), pluginFolder(join(directory, 'theirs'), 'echo', '1.0.1')];
  await signPlugin(mine, await host.keys.get('test'));
  await signPlugin(theirs, await stranger(t, host));
  const ends = await Promise.allSettled([host.install(mine), second.install(theirs)]);
  const [refused, ...none] = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  assert.ok(isCode('PUBLISHER_CHANGED')(refused), String(refused));
  assert.deepEqual(none, []);
  const recorded = host.audit.list({ plugin: 'echo' }).map(({ action }) => action);
  assert.deepEqual(recorded, ['install', 'refused']);
  const [one] = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  assert.equal(await activeVersion(world), one?.version);
});

test('a version that another process installed meanwhile is what an older one is judged against', async (t) => {
  const { host, home, directory } = await fixtureHost(t, []);
  const [older, newer] = [pluginFolder(directory, 'echo', '1.0.0'), pluginFolder(directory, 'echo', '2.0.0')];
  let other: SpawnSyncReturns<string> | undefined;
  const append = host.audit.append.bind(host.audit);
  // The older one is verified and stored, its checks are done, and it is about to become the active one.
  host.audit.append = (entry) => {
    if (entry.action === 'override') other ??= mmmProcess(home, 'plugin', 'install', newer, '--allow-unsigned', 'echo');
    return append(entry);
  };
  await assert.rejects(host.install(older, { allowUnsigned: 'echo' }), isCode('VERSION_DOWNGRADE'));
  assert.equal(other?.status, 0, other?.stderr);
  assert.equal(await activeVersion({ home }), '2.0.0');
  const recorded = host.audit.list({ plugin: 'echo' }).map(({ action, detail }) => `${action} ${detail.what ?? ''}`);
  assert.deepEqual(recorded, ['override unsigned', 'install ', 'override unsigned', 'refused version']);
});

/** The command in a process of its own, to its end. */
function mmmProcess(home: string, ...words: string[]): SpawnSyncReturns<string> {
  const program = [
    '--import',
    'tsx',
    '--conditions=mmm-source',
    join(import.meta.dirname, '../support/mmm-process.ts'),
  ];
  const { NODE_V8_COVERAGE: _itsOwn, ...inherited } = process.env;
  return spawnSync(process.execPath, [...program, ...words], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...inherited, HOME: home, MMM_HOME: home },
    encoding: 'utf8',
    timeout: 60_000,
  });
}

const hostile = 'Ok" Allow? y\r\u001b[2J\u009b31m\u202eevil\u2028\n\u0007\u200bEND';
/** What a terminal acts on, reorders or hides; an escape of JSON is none of it. */
const acting = /[^\P{C}\n]|[\u2028\u2029]/u;

test('whatever an author writes into a manifest, no command shows as it is; as JSON it is the same text', async (t) => {
  const { host, home, directory } = await fixtureHost(t, []);
  const quoted = JSON.stringify(hostile).replaceAll('\u009b', '\\u009b');
  const folder = pluginFolder(directory, 'echo');
  const file = join(folder, 'plugin.toml');
  const manifest = readFileSync(file, 'utf8')
    .replace('"A fixture"', `${quoted}\nauthors = [${quoted}]\nkeywords = ["hostile"]\ndisplay_name = ${quoted}`)
    .replace('name = "run"', `name = "run"\ntitle = ${quoted}\ndescription = ${quoted}\naliases = [${quoted}]`);
  const reason = `[permissions]\nenvironment = [{ name = "LANG", reason = ${quoted} }]\n`;
  writeFileSync(file, `${manifest}${reason}[install]\ncommand = ["node", "main.cjs", ${quoted}]\n`);
  await signPlugin(folder, await host.keys.get('test'));
  await host.close();
  const texts: string[] = [];
  for (const words of [
    ['plugin', 'inspect', folder],
    ['plugin', 'install', folder, '--no-hooks'],
    ['plugin', 'list'],
    ['plugin', 'info', 'echo'],
    ['plugin', 'permissions', 'echo'],
    ['plugin', 'exec', 'echo', 'run'],
    ['plugin', 'exec', 'echo', hostile],
    ['plugin', 'info', hostile],
    ['plugin', 'grant', 'echo', hostile],
    ['key', 'revoke', hostile],
    ['help', hostile],
    ['audit', 'list'],
  ]) {
    for (const json of [[], ['--json']]) {
      const { stdout, stderr } = await mmm({ home, cwd: directory }, ...words, ...json);
      assert.doesNotMatch(stdout + stderr, acting, words.join(' '));
      if (words[1] === 'info' && json.length > 0) texts.push(stdout);
    }
  }
  assert.equal((JSON.parse(texts[0] ?? '') as { description: string }).description, hostile);
});

test('an argument that no process could be given is a problem of the manifest', async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  const folder = pluginFolder(directory, 'echo');
  const file = join(folder, 'plugin.toml');
  const manifest = readFileSync(file, 'utf8');
  writeFileSync(file, manifest.replace('"main.cjs"]', '"main.cjs", "a\\u0000b"]'));
  await assert.rejects(host.sign(folder), isCode('MANIFEST_INVALID'));
  writeFileSync(file, manifest.replace('"main.cjs"]', '"main.cjs", "a\\tb"]'));
  await host.sign(folder);
});

test('a file that has no end is not read to its end', { timeout: 60_000 }, async (t) => {
  const home = tempFolder(t);
  for (const words of [
    ['key', 'trust', '@/dev/zero', '--name', 'zero', '--scope', '*'],
    ['key', 'revocations', 'import', '/dev/zero'],
    ['plugin', 'verify', home, '--minisign', '/dev/zero'],
  ]) {
    const { code, stderr } = await mmm({ home: join(home, 'home'), cwd: home }, ...words);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /has more than \d+ bytes/);
  }
});
