// What a filesystem grant shows: the object that was agreed to and no other, and what may be done with it.
import assert from 'node:assert/strict';
import { spawn as spawnPlain, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MmmError, type Permission } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import { probeSandbox } from '../../packages/host/src/sandbox/probe.ts';
import { spawn } from '../../packages/host/src/spawn/spawn.ts';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import {
  confineFixture,
  fixtureBundle,
  isRoot,
  launchFixture,
  launchUid,
  openFolder,
} from '../support/launch-fixture.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';

const hasPython = spawnSync('/usr/bin/python3', ['--version']).status === 0;
const withPython = hasPython ? confined : { skip: 'there is no /usr/bin/python3 here' };
const command = ['python3', 'main.py'];
const files = (access: 'read' | 'write' | 'execute', path: string): Permission => ({
  kind: 'filesystem',
  access,
  path,
});

/** A folder that plugins may use, with a program in it. */
function workFolder(t: TestContext): string {
  const folder = openFolder(t, 0o755);
  for (const name of ['', 'inner']) {
    mkdirSync(join(folder, name), { recursive: true });
    copyFileSync('/bin/true', join(folder, name, 'program'));
    chmodSync(join(folder, name, 'program'), 0o755);
    writeFileSync(join(folder, name, 'text'), name === '' ? 'outer' : 'inner');
    if (isRoot) chownSync(join(folder, name), launchUid, launchUid);
  }
  return folder;
}

const machines = [
  ['as this bubblewrap mounts', {}],
  [
    'with a bubblewrap that takes no descriptors',
    {
      probe: async () => {
        const probe = await probeSandbox({ uid: launchUid, home: '/', nodePath: process.execPath });
        return { ...probe, bubblewrap: { ...probe.bubblewrap, bindsDescriptors: false } };
      },
    },
  ],
] as const;

for (const [how, machine] of machines) {
  test(`a grant to read, write or execute gives that and no more, ${how}`, withPython, async (t) => {
    const folder = workFolder(t);
    const bundle = fixtureBundle(t, 'does-as-told-python');
    const all = [files('read', folder), files('write', folder), files('execute', folder)] as const;
    const [read, write, execute] = all;
    const tries = {
      reads: `open('${folder}/text').read()`,
      writes: `written('${folder}/new')`,
      executes: `run('${folder}/program')`,
      inner: `run('${folder}/inner/program')`,
    };
    const bare = await launchFixture(t, { bundle, command });
    const environment = await bare.ask({ code: 'sorted(os.environ.items())' });
    assert.match(environment, /'PWD', '\/plugin'/);
    const expected: [readonly Permission[], Record<keyof typeof tries, string>][] = [
      [[read], { reads: 'ok outer', writes: 'error EROFS', executes: 'error EACCES', inner: 'error EACCES' }],
      [[write], { reads: 'ok outer', writes: 'ok 1', executes: 'error EACCES', inner: 'error EACCES' }],
      [[execute], { reads: 'ok outer', writes: 'error EROFS', executes: 'ok 0 ', inner: 'ok 0 ' }],
      [[write, execute], { reads: 'ok outer', writes: 'ok 1', executes: 'ok 0 ', inner: 'ok 0 ' }],
      [
        [read, files('execute', join(folder, 'inner'))],
        { reads: 'ok outer', writes: 'error EROFS', executes: 'error EACCES', inner: 'ok 0 ' },
      ],
      [
        [write, files('execute', join(folder, 'inner'))],
        { reads: 'ok outer', writes: 'ok 1', executes: 'error EACCES', inner: 'ok 0 ' },
      ],
    ];
    for (const [granted, wanted] of expected) {
      const { ask, child } = await launchFixture(t, { bundle, command, granted, machine });
      const of = granted.map((one) => (one.kind === 'filesystem' ? `${one.access}:${one.path}` : '')).join(' ');
      for (const [name, code] of Object.entries(tries)) {
        assert.equal(await ask({ code }), wanted[name as keyof typeof tries], `${of}: ${name}`);
      }
      assert.equal(await ask({ code: 'sorted(os.environ.items())' }), environment, `${of}: its environment`);
      // A descriptor of a folder of the host would be a way out of the sandbox.
      for (const pid of ['self', '1']) {
        const names = `[os.readlink(p) for p in glob.glob('/proc/${pid}/fd/*') if os.path.lexists(p)]`;
        const open = await ask({ code: `sorted(${names})` });
        assert.doesNotMatch(open, new RegExp(folder), `${of}: ${pid}`);
      }
      child.kill('SIGKILL');
      await child.exited;
    }
  });

  test(`what is swapped between the look at a grant and its mount is not shown, ${how}`, withPython, async (t) => {
    const folder = workFolder(t);
    const bundle = fixtureBundle(t, 'does-as-told-python');
    const inner = join(folder, 'inner');
    const launched = await confineFixture(t, { bundle, command, granted: [files('read', inner)], machine });
    const services = { plugin: 'fixture', clock: systemClock, onLine: () => undefined };
    const first = await spawn(launched, services);
    first.kill('SIGKILL');
    await first.exited;
    renameSync(inner, join(folder, 'old'));
    mkdirSync(inner);
    const refused = { code: 'GRANT_CHANGED', message: /inner was replaced while it started/ };
    await assert.rejects(spawn(launched, services), refused);
    rmSync(inner, { recursive: true });
    symlinkSync('/etc', inner);
    await assert.rejects(spawn(launched, services), { code: 'GRANT_CHANGED' }, 'a link to another folder');
  });
}

/** A plugin that was granted `path` at its installation, and what its start comes to now. */
async function grantedPlugin(t: TestContext, path: string, access: 'read' | 'write' = 'read') {
  const more = `[permissions]\nfilesystem = [{path = "${path}", access = "${access}"}]`;
  const grant = [`filesystem=${access}:${path}`];
  const fixture = { behaviour: 'does-as-told-python', name: 'told', command, more, grant };
  const world = await fixtureHost(t, [fixture]);
  const ask = async (code: string): Promise<unknown> => {
    const plugin = await world.host.plugin('told');
    const { output } = await plugin.execute('run', { code });
    await plugin.stop();
    return output;
  };
  return { ...world, ask, grant };
}

const changed = (path: string, grant: string) => (error: unknown) => {
  assert.ok(MmmError.is(error, 'GRANT_CHANGED'), String(error));
  assert.deepEqual(error.data, { plugin: 'told', grant, path });
  assert.ok(error.message.includes(`${path} was replaced`), error.message);
  assert.ok(error.message.endsWith(`run: mmm plugin grant told ${grant}`), error.message);
  return true;
};

test(
  'a granted folder that was replaced is not shown until somebody agrees again; that is recorded',
  withPython,
  async (t) => {
    const folder = workFolder(t);
    const inner = join(folder, 'inner');
    const { host, ask, grant } = await grantedPlugin(t, inner);
    const read = `open('${inner}/text').read()`;
    assert.equal(await ask(read), 'ok inner');
    writeFileSync(join(inner, 'more'), 'what is in it may change');
    assert.equal(await ask(read), 'ok inner');
    renameSync(inner, join(folder, 'old'));
    mkdirSync(inner);
    writeFileSync(join(inner, 'text'), 'another');
    await assert.rejects(ask(read), changed(inner, grant[0] ?? ''));
    const refused = host.audit.list({ plugin: 'told', action: 'refused' }).at(-1);
    assert.equal(refused?.detail.error, 'GRANT_CHANGED');
    await host.grant('told', grant);
    assert.equal(await ask(read), 'ok another');
    rmSync(inner, { recursive: true });
    renameSync(join(folder, 'old'), inner);
    await assert.rejects(ask(read), changed(inner, grant[0] ?? ''));
  },
);

test(
  'a granted file may be saved anew in its folder, and be nothing but a file of its owner there',
  withPython,
  async (t) => {
    const folder = workFolder(t);
    const path = join(folder, 'text');
    const { ask, grant } = await grantedPlugin(t, path);
    const read = `open('${path}').read()`;
    const save = (text: string): void => {
      writeFileSync(join(folder, 'text.new'), text);
      renameSync(join(folder, 'text.new'), path);
    };
    assert.equal(await ask(read), 'ok outer');
    save('saved');
    assert.equal(await ask(read), 'ok saved');
    writeFileSync(join(folder, 'secret'), 'hunter2');
    rmSync(path);
    linkSync(join(folder, 'secret'), path);
    await assert.rejects(ask(read), changed(path, grant[0] ?? ''), 'another name of another file');
    save('saved again');
    assert.equal(await ask(read), 'ok saved again');
    if (isRoot) {
      save('of another owner');
      chownSync(path, launchUid, launchUid);
      await assert.rejects(ask(read), changed(path, grant[0] ?? ''));
    }
  },
);

test('what is not there yet when it is agreed to is kept from its first start on', withPython, async (t) => {
  const folder = workFolder(t);
  const later = join(folder, 'later');
  const { ask, grant } = await grantedPlugin(t, later);
  await assert.rejects(ask('1'), { code: 'GRANT_INVALID', message: /does not exist/ });
  mkdirSync(later);
  assert.equal(await ask(`os.listdir('${later}')`), 'ok []');
  renameSync(later, join(folder, 'old'));
  mkdirSync(later);
  await assert.rejects(ask('1'), changed(later, grant[0] ?? ''));
});

test(
  'links and folders that change places while a plugin starts never show what was not granted',
  withPython,
  async (t) => {
    const folder = workFolder(t);
    const [path, secret, aside] = ['inner', 'secret', 'aside'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(secret);
    writeFileSync(join(secret, 'text'), 'hunter2');
    const { host, ask } = await grantedPlugin(t, path);
    const swapping = `import os
print("swapping", flush=True)
while True:
    for made in (lambda: os.rename('${secret}', '${path}'), lambda: os.symlink('${secret}', '${path}')):
        os.rename('${path}', '${aside}')
        made()
        if os.path.islink('${path}'): os.unlink('${path}')
        else: os.rename('${path}', '${secret}')
        os.rename('${aside}', '${path}')`;
    const swapper = spawnPlain('/usr/bin/python3', ['-c', swapping], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => swapper.kill('SIGKILL'));
    await once(swapper.stdout, 'data');
    const outcomes = new Map<string, number>();
    for (let start = 0; start < 25; start += 1) {
      const outcome = await ask(`open('${path}/text').read()`).catch((error: unknown) => {
        return error instanceof MmmError ? error.code : String(error);
      });
      outcomes.set(String(outcome), (outcomes.get(String(outcome)) ?? 0) + 1);
      (await host.plugin('told')).reset();
    }
    const ended = once(swapper, 'exit');
    swapper.kill('SIGKILL');
    await ended;
    const allowed = /^(?:ok inner|GRANT_CHANGED|GRANT_INVALID|GRANT_UNUSABLE|LAUNCH_FAILED|error ENOENT)$/;
    for (const outcome of outcomes.keys()) assert.match(outcome, allowed);
  },
);

test('an ordinary user gets the same', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});
