import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Permission } from '@mmm/protocol';
import { fixtureBundle, isRoot, launchFixture, launchPlain, launchUid, openFolder } from '../support/launch-fixture.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';

const hasBubblewrap = spawnSync('bwrap', ['--ro-bind', '/', '/', '--unshare-user', 'true']).status === 0;
const hasCompiler = spawnSync('cc', ['--version']).status === 0;
const hasPython = spawnSync('/usr/bin/python3', ['--version']).status === 0;

interface Language {
  readonly name: string;
  readonly skip: string | false;
  /** The bundle, what starts it in the sandbox, and what starts the same program without one. */
  make(t: TestContext): { bundle: string; command: string[]; plain: [string, ...string[]] };
}

const languages: readonly Language[] = [
  {
    name: 'C',
    skip: !hasBubblewrap ? 'bubblewrap does not work here' : !hasCompiler && 'there is no C compiler here',
    make: (t) => {
      const bundle = fixtureBundle(t, 'reaches-out-c');
      const program = join(bundle, 'reaches-out');
      const compiled = spawnSync('cc', ['-O1', '-o', program, join(bundle, 'main.c')], { encoding: 'utf8' });
      assert.equal(compiled.status, 0, compiled.stderr);
      chmodSync(program, 0o755);
      return { bundle, command: ['./reaches-out'], plain: [program] };
    },
  },
  {
    name: 'Python',
    skip: !hasBubblewrap ? 'bubblewrap does not work here' : !hasPython && 'there is no /usr/bin/python3 here',
    make: (t) => {
      const bundle = fixtureBundle(t, 'reaches-out-python');
      return { bundle, command: ['python3', 'main.py'], plain: ['/usr/bin/python3', join(bundle, 'main.py')] };
    },
  },
  {
    name: 'JavaScript',
    skip: !hasBubblewrap && 'bubblewrap does not work here',
    make: (t) => {
      const bundle = fixtureBundle(t, 'reaches-out-javascript');
      return { bundle, command: ['node', 'main.cjs'], plain: [process.execPath, join(bundle, 'main.cjs')] };
    },
  },
];

/** The program confined and, as the control, the same program with no sandbox around it. */
async function both(t: TestContext, language: Language, granted: readonly Permission[] = [], environment = {}) {
  const { bundle, command, plain } = language.make(t);
  const [file, ...args] = plain;
  const control = launchPlain(t, file, args, environment);
  const { ask: confined } = await launchFixture(t, { bundle, command, granted, machine: { environment } });
  return { confined, control };
}

/** A process of the host with a secret in its environment. */
async function otherProcess(t: TestContext): Promise<number> {
  const child = spawn('/bin/sh', ['-c', 'echo ready; read never'], {
    env: { ANOTHER_SECRET: 'other-hunter2' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  assert.ok(child.pid);
  return child.pid;
}

for (const language of languages) {
  const options = language.skip === false ? {} : { skip: language.skip };

  test(`${language.name}: a file outside the grants cannot be read, and a granted one can`, options, async (t) => {
    const folder = openFolder(t);
    for (const name of ['secret', 'shared']) {
      mkdirSync(join(folder, name), { mode: 0o755 });
      writeFileSync(join(folder, name, 'text'), 'hunter2');
      chmodSync(join(folder, name, 'text'), 0o666);
    }
    const granted: Permission[] = [{ kind: 'filesystem', access: 'read', path: join(folder, 'shared') }];
    const { confined, control } = await both(t, language, granted);
    const secret = { op: 'read', path: join(folder, 'secret/text') };
    assert.equal(await control(secret), 'ok hunter2');
    assert.equal(await confined(secret), 'error ENOENT');
    assert.equal(await confined({ op: 'read', path: join(folder, 'shared/text') }), 'ok hunter2');
    assert.equal(await confined({ op: 'open_write', path: join(folder, 'shared/text') }), 'error EROFS');
    assert.equal(await confined({ op: 'read', path: '/etc/shadow' }), 'error ENOENT');
  });

  test(`${language.name}: only its own folders can be written`, options, async (t) => {
    const { confined, control } = await both(t, language);
    const outside = openFolder(t, 0o777);
    assert.match(await control({ op: 'create', path: join(outside, 'x') }), /^ok/);
    for (const path of [join(outside, 'y'), '/x', '/plugin/x', '/etc/x', '/usr/bin/x', '/dev/x']) {
      assert.match(await confined({ op: 'create', path }), /^error (?:ENOENT|EROFS|EACCES)$/, path);
    }
    for (const path of ['/etc/passwd', '/etc/hosts', '/etc/nsswitch.conf']) {
      assert.match(await confined({ op: 'read', path }), /^ok /, path);
      assert.match(await confined({ op: 'open_write', path }), /^error (?:EROFS|EACCES)$/, path);
    }
    for (const path of ['/data/x', '/tmp/x', '/dev/shm/x']) {
      assert.match(await confined({ op: 'create', path }), /^ok/, path);
    }
  });

  test(`${language.name}: a variable that was not granted is not there, and a granted one is`, options, async (t) => {
    const granted: Permission[] = [{ kind: 'environment', name: 'SHARED_*' }];
    const { confined, control } = await both(t, language, granted, { HOST_SECRET: 'hunter2', SHARED_NAME: 'shared' });
    assert.equal(await control({ op: 'env', name: 'HOST_SECRET' }), 'ok hunter2');
    assert.equal(await confined({ op: 'env', name: 'HOST_SECRET' }), 'ok unset');
    assert.equal(await confined({ op: 'env', name: 'SHARED_NAME' }), 'ok shared');
    assert.equal(await confined({ op: 'env', name: 'HOME' }), 'ok /data');
  });

  test(`${language.name}: the environment of another process cannot be read`, options, async (t) => {
    const pid = await otherProcess(t);
    const { confined, control } = await both(t, language, [], { HOST_SECRET: 'hunter2' });
    assert.match(await control({ op: 'read', path: `/proc/${pid}/environ` }), /other-hunter2/);
    assert.equal(await confined({ op: 'read', path: `/proc/${pid}/environ` }), 'error ENOENT');
    assert.doesNotMatch(await confined({ op: 'read', path: '/proc/1/environ' }), /hunter2/);
    assert.match(await confined({ op: 'read', path: '/proc/self/environ' }), /MMM_PLUGIN=fixture/);
  });

  test(`${language.name}: another process can be neither seen nor signalled`, options, async (t) => {
    const pid = await otherProcess(t);
    const { confined, control } = await both(t, language);
    assert.match(await control({ op: 'kill', pid }), /^ok/);
    assert.equal(await confined({ op: 'kill', pid }), 'error ESRCH');
    const seen = (await confined({ op: 'list', path: '/proc' })).split(' ').filter((name) => /^\d+$/.test(name));
    assert.ok(seen.length <= 2, `it sees the processes ${seen.join(', ')}`);
  });

  test(`${language.name}: neither TCP nor UDP reaches the host`, options, async (t) => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    const datagrams = createSocket('udp4').bind(0, '127.0.0.1');
    t.after(() => {
      server.close();
      datagrams.close();
    });
    await Promise.all([once(server, 'listening'), once(datagrams, 'listening')]);
    const { port } = server.address() as { port: number };
    let received = 0;
    datagrams.on('message', () => received++);
    const { confined, control } = await both(t, language);
    assert.match(await control({ op: 'connect', port }), /^ok/);
    assert.equal(await confined({ op: 'connect', port }), 'error ECONNREFUSED');
    // The confined datagram goes first: when the control's has arrived, an earlier one would have too.
    await confined({ op: 'udp', port: datagrams.address().port });
    assert.equal(received, 0);
    const arrived = once(datagrams, 'message');
    assert.match(await control({ op: 'udp', port: datagrams.address().port }), /^ok/);
    await arrived;
    assert.equal(received, 1);
  });

  test(`${language.name}: a socket file in a granted folder cannot be connected to`, options, async (t) => {
    const folder = openFolder(t);
    const path = join(folder, 'daemon.sock');
    const server = createServer((socket) => socket.destroy()).listen(path);
    t.after(() => server.close());
    await once(server, 'listening');
    chmodSync(path, 0o777);
    const { confined, control } = await both(t, language, [{ kind: 'filesystem', access: 'read', path: folder }]);
    assert.match(await control({ op: 'connect_unix', path }), /^ok/);
    assert.equal(await confined({ op: 'connect_unix', path }), 'error EAFNOSUPPORT');
  });

  test(`${language.name}: kernel settings cannot be opened for writing`, options, async (t) => {
    const { confined, control } = await both(t, language);
    for (const path of ['/proc/sys/kernel/core_pattern', '/proc/sys/vm/swappiness']) {
      // For an ordinary user the control is refused as well: there the test above it, run as root, is the evidence.
      if (isRoot) assert.match(await control({ op: 'open_write', path }), /^ok/);
      assert.match(await confined({ op: 'open_write', path }), /^error (?:EROFS|EACCES)$/);
    }
    assert.match(await confined({ op: 'open_write', path: '/proc/sysrq-trigger' }), /^error/);
  });

  test(`${language.name}: it runs under its launch uid with no capability in reach`, options, async (t) => {
    const { confined } = await both(t, language);
    assert.equal(await confined({ op: 'ids' }), `ok ${launchUid} 0000000000000000`);
  });

  test(`${language.name}: only its own program and its libraries are visible`, options, async (t) => {
    const { confined, control } = await both(t, language);
    assert.ok((await control({ op: 'list', path: '/usr/bin' })).split(' ').length > 20);
    const visible = await confined({ op: 'list', path: '/usr/bin' });
    assert.match(visible, /^ok/);
    const names = visible
      .split(' ')
      .slice(1)
      .filter((name) => name !== '');
    const own = { C: /^$/, Python: /^python3/, JavaScript: /^node$/ }[language.name] ?? /^$/;
    for (const name of names) assert.match(name, own);
  });
}

/** A path below one of the placeholders a grant may start with. */
const inside = (placeholder: string, ...rest: string[]): string => [`\${${placeholder}}`, ...rest].join('/');

const javascript = languages[2] as Language;
const options = javascript.skip === false ? {} : { skip: javascript.skip };

test('a granted folder below a private one is writable, and only for the uid it belongs to', options, async (t) => {
  const folder = openFolder(t, 0o700);
  const shared = join(folder, 'shared');
  mkdirSync(shared);
  const granted: Permission[] = [{ kind: 'filesystem', access: 'write', path: shared }];
  const { bundle, command } = javascript.make(t);
  if (isRoot) {
    const launch = launchFixture(t, { bundle, command, granted });
    await assert.rejects(launch, {
      code: 'GRANT_UNUSABLE',
      data: { plugin: 'fixture', path: shared, uid: launchUid, fix: `chown -R ${launchUid}:${launchUid} '${shared}'` },
    });
    chownSync(shared, launchUid, launchUid);
  }
  const { ask } = await launchFixture(t, { bundle, command, granted });
  assert.match(await ask({ op: 'create', path: join(shared, 'x') }), /^ok/);
  assert.equal(await ask({ op: 'list', path: folder }), 'ok shared');
});

test('a grant that cannot be used is refused before anything starts, with the reason', options, async (t) => {
  const { bundle, command } = javascript.make(t);
  const folder = openFolder(t);
  mkdirSync(join(folder, 'inside'), { mode: 0o755 });
  spawnSync('chown', [`${launchUid}`, folder]);
  symlinkSync('/etc', join(folder, 'planted'));
  const write: Permission = { kind: 'filesystem', access: 'write', path: folder };
  const refused = async (granted: readonly Permission[], reason: RegExp) =>
    await assert.rejects(launchFixture(t, { bundle, command, granted }), { code: 'GRANT_INVALID', message: reason });
  const read = (path: string): Permission => ({ kind: 'filesystem', access: 'read', path });
  await refused([read(join(folder, 'missing'))], /does not exist/);
  await refused([write, read(join(folder, 'planted'))], /planted is a link, so that the path leads to \/etc\./);
  for (const path of ['/proc/1', '/sys', '/dev/null', '/run', '/', '/usr', '/usr/bin'])
    await refused([read(path)], /never shown|as a whole/);
  await refused([read(inside('project', 'x'))], /no project/);
  await refused([read('relative')], /absolute/);
});

test('a granted home folder never shows the home of mmm', options, async (t) => {
  const folder = openFolder(t);
  writeFileSync(join(folder, 'mine'), 'x', { mode: 0o644 });
  const home = join(folder, '.mmm');
  mkdirSync(join(home, 'data'), { recursive: true });
  writeFileSync(join(home, 'trust.json'), 'keys');
  const { bundle, command } = javascript.make(t);
  const machine = { homeDirectory: home, dataDirectory: join(home, 'data/fixture'), userHome: folder };
  const granted: Permission[] = [{ kind: 'filesystem', access: 'read', path: inside('home') }];
  const { ask } = await launchFixture(t, { bundle, command, granted, machine });
  assert.equal(await ask({ op: 'read', path: join(folder, 'mine') }), 'ok x');
  assert.equal(await ask({ op: 'list', path: home }), 'ok ');
  assert.match(await ask({ op: 'create', path: join(home, 'x') }), /^error/);
});

test('a bundle, a home and a Node below folders of mode 0700 work', options, async (t) => {
  const folder = openFolder(t, 0o700);
  const { bundle, command } = javascript.make(t);
  spawnSync('cp', ['-r', bundle, join(folder, 'bundle')]);
  mkdirSync(join(folder, 'home/data'), { recursive: true, mode: 0o700 });
  spawnSync('cp', [process.execPath, join(folder, 'node')]);
  const machine = {
    homeDirectory: join(folder, 'home'),
    dataDirectory: join(folder, 'home/data/fixture'),
    nodePath: join(folder, 'node'),
  };
  const { ask } = await launchFixture(t, { bundle: join(folder, 'bundle'), command, machine });
  assert.equal(await ask({ op: 'ids' }), `ok ${launchUid} 0000000000000000`);
  assert.match(await ask({ op: 'create', path: '/data/x' }), /^ok/);
});

test('an ordinary user is confined in the same way', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});
