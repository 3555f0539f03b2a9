import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { removeTree } from '@mmm/bundle';
import { createHost, type Host, type InstallOptions, signPlugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture, fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const isRoot = process.getuid?.() === 0;
const hasPython = spawnSync('/usr/bin/python3', ['--version']).status === 0;

/** An `echo` plugin of this version, not yet signed, in a folder of its own. */
function echoFolder(directory: string, version: string, more = ''): string {
  const parent = join(directory, `echo-${version}-${readdirSync(directory).length}`);
  mkdirSync(parent);
  const folder = copyFixture({ behaviour: 'echo', more }, parent);
  const file = join(folder, 'plugin.toml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('1.0.0', version));
  return folder;
}

/** A key of somebody else, trusted here, that is none of this machine's own. */
async function stranger(t: TestContext, host: Host, name: string) {
  const other = await createHost({ home: join(tempFolder(t), 'home') });
  t.after(() => other.close());
  const key = await other.keys.create(name);
  await host.trust.add({ publicKey: key.publicKey, name, role: 'publisher', scopes: ['*'] }, new Date());
  return key;
}

// Swaps a folder with a link to the victim, again and again, in steps that no other process sees half of.
const swapper = `
import ctypes, sys
libc = ctypes.CDLL(None)
print("swapping", flush=True)
while True:
    for i in range(20):
        libc.syscall(int(sys.argv[2]), -100, f"{sys.argv[1]}/d{i}".encode(), -100, f"{sys.argv[1]}/l{i}".encode(), 2)
`;
const renameat2 = { x64: '316', arm64: '276' }[process.arch as string];
const canSwap = hasPython && renameat2 !== undefined ? {} : { skip: 'there is no python3 or no renameat2 here' };

test(
  'a tree in which folders and links change places while it is removed takes nothing else with it',
  canSwap,
  async (t) => {
    const directory = tempFolder(t);
    const [root, victim] = [join(directory, 'root'), join(directory, 'victim')];
    mkdirSync(victim);
    for (let at = 0; at < 50; at += 1) writeFileSync(join(victim, `f${at}`), 'precious');
    for (let round = 0; round < 5; round += 1) {
      mkdirSync(root);
      for (let at = 0; at < 20; at += 1) {
        mkdirSync(join(root, `d${at}`));
        for (const name of ['a', 'b', 'c']) writeFileSync(join(root, `d${at}`, name), 'x');
        symlinkSync(victim, join(root, `l${at}`));
      }
      const child = spawn('/usr/bin/python3', ['-c', swapper, root, renameat2 ?? ''], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const remains = await removeTree(root);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      assert.equal(remains, undefined);
      assert.equal(readdirSync(victim).length, 50);
    }
  },
);

test('removing a plugin takes its data away without following its links', async (t) => {
  const { host, home, directory } = await fixtureHost(t, ['echo']);
  const [data, victim] = [join(home, 'data/echo'), join(directory, 'victim')];
  mkdirSync(join(data, 'deep'), { recursive: true });
  mkdirSync(victim);
  writeFileSync(join(victim, 'precious'), 'kept');
  symlinkSync(victim, join(data, 'deep/link'));
  await host.remove('echo');
  assert.deepEqual(readdirSync(join(home, 'data')), []);
  assert.deepEqual(readdirSync(join(home, 'store')), []);
  assert.equal(readFileSync(join(victim, 'precious'), 'utf8'), 'kept');
  await assert.rejects(host.remove('echo'), (error) => MmmError.is(error, 'PLUGIN_NOT_FOUND'));
});

test('data that cannot be removed leaves a plugin that can be removed again', { skip: !isRoot }, async (t) => {
  const { host, home } = await fixtureHost(t, ['echo']);
  const inner = join(home, 'data/echo/inner');
  mkdirSync(inner, { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', 'none', inner]).status !== 0) {
    t.skip('nothing can be mounted here');
    return;
  }
  let mounted = inner;
  t.after(() => spawnSync('umount', ['-l', mounted]));
  await assert.rejects(host.remove('echo'), (error) => {
    if (!MmmError.is(error, 'DATA_NOT_REMOVED')) throw error;
    mounted = error.data.path;
    return /\.removing-echo\..*inner/.test(error.data.path);
  });
  assert.equal((await host.plugin('echo')).id, 'echo');
  assert.equal(spawnSync('umount', [mounted]).status, 0);
  await host.remove('echo');
  assert.deepEqual(readdirSync(join(home, 'data')), []);
});

test(
  'a handle asked for twice at once after a new version is one handle, and none outlives the host',
  confined,
  async (t) => {
    const { host, directory } = await fixtureHost(t, ['echo']);
    await (await host.plugin('echo')).start();
    const key = await host.keys.get('test');
    const next = echoFolder(directory, '2.0.0');
    await signPlugin(next, key);
    await host.install(next, { grantRequested: true });
    const [a, b] = await Promise.all([host.plugin('echo'), host.plugin('echo')]);
    assert.equal(a, b);
    await Promise.all([a.start(), b.start()]);
    const { pid } = a;
    assert.ok(pid !== null);
    const { manifest } = a.spec;
    const registered = await host.register({ manifest, serve: () => undefined });
    assert.notEqual(registered, a);
    assert.equal(a.state.kind, 'stopped');
    assert.equal(await host.plugin('echo'), registered);
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  },
);

const withSchema = `
[[capabilities]]
kind = "tool"
name = "checked"
input = "input.json"
`;

test('the schemas of a plugin are read from what was verified, and never from a pipe', async (t) => {
  const directory = tempFolder(t);
  const plugins = join(directory, 'project/.mmm/plugins');
  mkdirSync(plugins, { recursive: true });
  const folder = copyFixture({ behaviour: 'echo', more: withSchema }, plugins);
  writeFileSync(join(folder, 'input.json'), '{"type":"object","required":["q"]}');
  const host = await createHost({ home: join(directory, 'home'), project: join(directory, 'project') });
  t.after(() => host.close());
  await host.createKey('test');
  await host.sign(folder);
  await host.enable('echo');
  const plugin = await host.plugin('echo');
  rmSync(join(folder, 'input.json'));
  assert.equal(spawnSync('mkfifo', [join(folder, 'input.json')]).status, 0);
  await assert.rejects(plugin.execute('checked', {}, { timeoutMs: 5000 }), (error) =>
    MmmError.is(error, 'BUNDLE_CHANGED'),
  );
  rmSync(join(folder, 'input.json'));
  writeFileSync(join(folder, 'input.json'), '{"type":"object"}');
  await assert.rejects(plugin.execute('checked', {}), (error) => MmmError.is(error, 'BUNDLE_CHANGED'));
  writeFileSync(join(folder, 'input.json'), '{"type":"object","required":["q"]}');
  await assert.rejects(plugin.execute('checked', {}), (error) => MmmError.is(error, 'INPUT_INVALID'));
  assert.equal(plugin.pid, null);
});

test('a folder that is no home of mmm is neither filled nor changed', async (t) => {
  const directory = tempFolder(t);
  const refused = async (home: string, reason: RegExp): Promise<void> => {
    await assert.rejects(
      createHost({ home }),
      (error) => MmmError.is(error, 'HOME_INVALID') && reason.test(error.message),
    );
  };
  const photos = join(directory, 'photos');
  mkdirSync(photos, { mode: 0o700 });
  writeFileSync(join(photos, 'one.jpg'), 'x');
  await refused(photos, /holds "one\.jpg"/);
  assert.deepEqual(readdirSync(photos), ['one.jpg']);
  const open = join(directory, 'open');
  mkdirSync(open);
  chmodSync(open, 0o755);
  await refused(open, /chmod 0700 .*open/);
  assert.equal(statSync(open).mode & 0o777, 0o755);
  const empty = join(directory, 'empty');
  mkdirSync(empty, { mode: 0o700 });
  await (await createHost({ home: `${empty}/` })).close();
  assert.ok(existsSync(join(empty, 'home.json')));
  await (await createHost({ home: `${empty}/.` })).close();
  symlinkSync(empty, join(directory, 'link'));
  for (const end of ['', '/', '/.', '//./']) await refused(join(directory, 'link') + end, /is not a folder/);
  chmodSync(join(empty, 'keys'), 0o750);
  await refused(empty, /chmod 0700 .*keys/);
  assert.equal(statSync(join(empty, 'keys')).mode & 0o777, 0o750);
  const cli = await mmm({ home: empty }, 'plugin', 'list', '--home', '');
  assert.match(cli.stderr, /--home is empty/);
});

test(
  'a new publisher of an old name gets neither its data nor its uid, and the old one gets them back',
  confined,
  async (t) => {
    const { host, home, directory } = await fixtureHost(t, ['echo']);
    const data = join(home, 'data/echo');
    await (await host.plugin('echo')).start();
    writeFileSync(join(data, 'secret'), 'of the first');
    const owner = lstatSync(data).uid;
    const second = await stranger(t, host, 'second');
    const theirs = echoFolder(directory, '1.1.0');
    await signPlugin(theirs, second);
    await assert.rejects(host.install(theirs), (error) => MmmError.is(error, 'PUBLISHER_CHANGED'));
    const report = await host.install(theirs, { grantRequested: true, allowPublisherChange: 'echo' });
    assert.match(report.dataKept ?? '', /data\/echo\.[0-9a-f]{32}$/);
    await (await host.plugin('echo')).start();
    assert.deepEqual(readdirSync(data), []);
    if (isRoot) assert.notEqual(lstatSync(data).uid, owner);
    writeFileSync(join(data, 'secret'), 'of the second');
    const again = echoFolder(directory, '1.2.0');
    await signPlugin(again, await host.keys.get('test'));
    await host.install(again, { grantRequested: true, allowPublisherChange: 'echo' });
    await (await host.plugin('echo')).start();
    assert.equal(readFileSync(join(data, 'secret'), 'utf8'), 'of the first');
    assert.equal(lstatSync(data).uid, owner);
    assert.equal(host.audit.list({ plugin: 'echo' }).filter(({ action }) => action === 'publisher').length, 2);
    await host.remove('echo');
    assert.deepEqual(readdirSync(join(home, 'data')), []);
  },
);

test('data that was kept at a removal is not handed to the next publisher either', async (t) => {
  const { host, home, directory } = await fixtureHost(t, ['echo']);
  mkdirSync(join(home, 'data/echo'));
  writeFileSync(join(home, 'data/echo/secret'), 'of the first');
  await host.remove('echo', { keepData: true });
  const theirs = echoFolder(directory, '1.0.0');
  await signPlugin(theirs, await stranger(t, host, 'second'));
  assert.match((await host.install(theirs)).dataKept ?? '', /data\/echo\.[0-9a-f]{32}$/);
  assert.equal(existsSync(join(home, 'data/echo')), false);
});

test('an older version, and another content under the same version, are refused', async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  const key = await stranger(t, host, 'publisher');
  const folder = async (version: string, more = ''): Promise<string> => {
    const made = echoFolder(directory, version, more);
    await signPlugin(made, key);
    return made;
  };
  await host.install(await folder('1.2.0'));
  const older = await folder('1.1.9');
  await assert.rejects(host.install(older), (error) => MmmError.is(error, 'VERSION_DOWNGRADE'));
  await assert.rejects(host.install(await folder('1.2.0', '# other')), (error) => MmmError.is(error, 'VERSION_REUSED'));
  assert.equal((await host.install(await folder('1.2.0'))).change, 'reinstalled');
  assert.equal((await host.install(older, { allowDowngrade: true })).change, 'downgraded');
  const actions = host.audit.list({ plugin: 'echo' }).map(({ action }) => action);
  assert.equal(actions.filter((action) => action === 'refused').length, 2);
  assert.equal(actions.filter((action) => action === 'override').length, 1);
  await host.remove('echo');
  const reused = (error: unknown) => MmmError.is(error, 'VERSION_REUSED');
  const other = await folder('1.2.0', '# other');
  await assert.rejects(host.install(other), reused, 'a removal makes nobody forget');
  await assert.rejects(host.install(other, { allowVersionReuse: 'echo' }), reused, 'nor does the flag, for others');
  await host.install(await folder('1.2.1'));
  await assert.rejects(host.install(other, { allowDowngrade: true }), reused, 'nor a way round');
});

test('own work takes the place of other content under its version only by name', async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  const own = await host.keys.get('test');
  const install = async (more: string, options: InstallOptions = {}) => {
    const made = echoFolder(directory, '1.0.0', more);
    await signPlugin(made, own);
    return await host.install(made, options);
  };
  await install('# one');
  await assert.rejects(install('# two'), (error) => {
    assert.ok(MmmError.is(error, 'VERSION_REUSED'));
    assert.match(error.message, /Raise `version`.*--allow-version-reuse echo/);
    return true;
  });
  await assert.rejects(install('# two', { allowVersionReuse: 'other' }), (error) => MmmError.is(error, 'USAGE'));
  assert.equal((await install('# two', { allowVersionReuse: 'echo' })).change, 'reinstalled');
  await assert.rejects(install('# one'), (error) => MmmError.is(error, 'VERSION_REUSED'));
  const overrides = host.audit.list({ plugin: 'echo', action: 'override' }).map(({ detail }) => detail.what);
  assert.deepEqual(overrides, ['version_reuse']);
});

test('a plugin with long lists of permissions does not empty its own audit entries', async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  const list = (count: number): string => {
    const entries = Array.from(
      { length: count },
      (_, at) => `{path = "/srv/${'x'.repeat(150)}${at}", access = "read"}`,
    );
    return `[permissions]\nfilesystem = [${entries.join(', ')}]`;
  };
  const folder = echoFolder(directory, '1.0.0', list(200));
  await signPlugin(folder, await host.keys.get('test'));
  const { bundleSha256 } = await host.install(folder, { grantRequested: true });
  const entry = host.audit.list({ plugin: 'echo' }).find(({ action }) => action === 'install');
  assert.ok(entry);
  const { bundle, version, trust, granted } = entry.detail as Record<string, Record<string, unknown>>;
  assert.equal(bundle, bundleSha256);
  assert.equal(version, '1.0.0');
  assert.equal(trust?.kind, 'signed');
  assert.equal(granted?.count, 200);
  assert.match(String(granted?.sha256), /^[0-9a-f]{64}$/);
  await assert.rejects(host.install(echoFolder(directory, '1.0.1', list(201))), (error) =>
    MmmError.is(error, 'MANIFEST_INVALID'),
  );
});

test('a plugin that filled the disk can be removed, and a start says that the disk is full', {
  skip: !isRoot,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'mmm-full-'));
  t.after(() => {
    spawnSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true });
  });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', directory]).status !== 0) {
    t.skip('nothing can be mounted here');
    return;
  }
  const home = join(directory, 'home');
  const source = tempFolder(t);
  const folder = echoFolder(source, '1.0.0');
  const first = await createHost({ home });
  await first.createKey('test');
  await first.sign(folder);
  await first.install(folder);
  await first.close();
  mkdirSync(join(home, 'data/echo'));
  fill(join(home, 'data/echo/filler'));
  const started = await mmm({ home, cwd: source }, 'plugin', 'exec', 'echo', 'run');
  assert.notEqual(started.code, 0);
  assert.match(started.stderr, /E0(702|501|502)/);
  assert.doesNotMatch(started.stderr, /E0999/);
  const removed = await mmm({ home, cwd: source }, 'plugin', 'remove', 'echo');
  assert.equal(removed.stderr, '');
  assert.equal(removed.code, 0);
  const after = await createHost({ home });
  t.after(() => after.close());
  assert.deepEqual(await after.list(), []);
  assert.equal(after.audit.list().at(-1)?.action, 'remove');
  assert.deepEqual(after.audit.verify().problem, undefined);
});

function fill(file: string): void {
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: 'a' });
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
}

test('a folder where a signing leaves a file is refused as a bundle', async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  const folder = echoFolder(directory, '1.0.0');
  mkdirSync(join(folder, '.mmm/index.json.1/x'), { recursive: true });
  await assert.rejects(host.sign(folder), (error) => MmmError.is(error, 'BUNDLE_INVALID'));
});

test('folders that no plugin is ever shown are refused at the installation', async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  for (const path of ['/usr', '/var/run', '/run/user', '/usr/bin', '/data', '/boot']) {
    const folder = echoFolder(directory, '1.0.0', `[permissions]\nfilesystem = [{path = "${path}", access = "read"}]`);
    await signPlugin(folder, await host.keys.get('test'));
    await assert.rejects(host.install(folder), (error) => MmmError.is(error, 'GRANT_INVALID'), path);
  }
});
