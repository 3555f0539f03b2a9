import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type LandlockLaunch,
  landlockCommand,
  landlockEnforcement,
} from '../../../../packages/host/src/sandbox/landlock.ts';
import { seccompFilter } from '../../../../packages/host/src/sandbox/seccomp.ts';

const limits = { dataBytes: 1, processes: 2, files: 3, fileSizeBytes: 4, temporaryBytes: 5 };
const launch: LandlockLaunch = {
  plugin: 'fixture',
  dropsRoot: false,
  uid: 1000,
  helper: { path: '/home/ada/.mmm/native/launch', namespaces: false },
  abi: 7,
  architecture: 'x64',
  layout: { folders: ['/usr/lib/x86_64-linux-gnu'], files: ['/etc/ld.so.cache'], links: [] },
  limits,
  ceiling: { ...limits, processes: 1 },
  bundleDirectory: '/store/abc',
  dataDirectory: '/data/fixture',
  nodePath: '/opt/node',
  argv: ['/opt/node', '/store/abc/main.cjs'],
  programs: [{ source: '/opt/node', target: '/usr/bin/node', writable: false }],
  grants: [],
  granted: [],
  environment: {},
};

/** Every path or descriptor with what it is allowed. */
function allowed({ args }: { readonly args: readonly string[] }): Record<string, string> {
  const at = args.flatMap((word, index) => (word.startsWith('--allow') ? [index] : []));
  return Object.fromEntries(at.map((index) => [args[index + 2] ?? '', args[index + 1] ?? '']));
}

test('nothing can be opened but libraries, program, bundle, data, and what says nothing of others', () => {
  const rules = allowed(landlockCommand(launch));
  assert.deepEqual(
    Object.entries(rules).filter(([path]) => !/^\/(?:dev|proc|etc|usr\/share\/zoneinfo)/.test(path)),
    [
      ['/usr/lib/x86_64-linux-gnu', 'x'],
      ['/opt/node', 'x'],
      ['/store/abc', 'x'],
      ['/data/fixture', 'W'],
    ],
  );
  assert.equal(rules['/proc'], undefined, 'the folder lists the processes of everybody');
  assert.equal(rules['/proc/self'], 'p');
  assert.equal(rules['/dev/tty'], undefined);
  assert.equal(rules['/etc'] ?? rules['/etc/passwd'], undefined);
  assert.equal(allowed(landlockCommand({ ...launch, helper: { path: '/l', namespaces: true } }))['/proc'], 'p');
});

test('grants are handed on as descriptors of what was judged, with exactly their rights', () => {
  const grant = { grant: 'filesystem=read:/x', device: '1', inode: '2' };
  const command = landlockCommand({
    ...launch,
    grants: [
      { ...grant, source: '/a', target: '/a', writable: false, executable: false },
      { ...grant, source: '/b', target: '/b', writable: false, executable: true },
      { ...grant, source: '/c', target: '/c', writable: true, executable: false },
      { ...grant, source: '/d', target: '/d', writable: true, executable: true },
    ],
  });
  const rules = allowed(command);
  assert.deepEqual(
    command.shown.map(({ fd, path }) => [path, rules[String(fd)]]),
    [
      ['/a', 'r'],
      ['/b', 'x'],
      ['/c', 'w'],
      ['/d', 'W'],
    ],
  );
  assert.equal(command.bindsDescriptors, true);
  assert.equal(new Set(command.shown.map(({ fd }) => fd)).size, 4);
  assert.ok(command.shown.every(({ fd }) => fd > 4));
});

test('a root host leaves root and mounts what its plugin could not reach', () => {
  const { args, pluginDirectory, env } = landlockCommand({
    ...launch,
    dropsRoot: true,
    uid: 300_001,
    helper: { path: '/l', namespaces: true },
  });
  const words = args.join(' ');
  assert.match(words, /--uid 300001 --stage \/mnt \/store\/abc \/data\/fixture \/opt\/node/);
  assert.match(words, /--pid-namespace --net-namespace --init/);
  assert.doesNotMatch(words, /--user-namespace/);
  assert.equal(pluginDirectory, '/mnt/plugin');
  assert.equal(env.HOME, '/mnt/data');
  assert.match(landlockCommand(launch).args.join(' '), /--limit nproc=1 --limit data=1 --limit nofile=3 /);
});

test('the filter is that for plugins among others, and where there is none this is said', () => {
  assert.deepEqual(landlockCommand(launch).descriptors, [{ fd: 4, bytes: seccompFilter('x64', 'shared') }]);
  const without = landlockCommand({ ...launch, architecture: 'riscv64' });
  assert.deepEqual(without.descriptors, []);
  assert.equal(without.args.includes('--seccomp'), false);
  const { filesystem, network, ipc } = without.enforcement;
  assert.deepEqual({ filesystem, network, ipc }, { filesystem: 'partial', network: 'partial', ipc: 'partial' });
});

test('what is enforced is said by what the kernel can do, and nothing more', () => {
  const at = (abi: number, namespaces: boolean, hasFilter = true) => {
    const { filesystem, network, processes, memory } = landlockEnforcement({ abi, namespaces, hasFilter });
    return [filesystem, network, processes, memory].map((level) => level[0]).join('');
  };
  assert.deepEqual(
    {
      one: at(1, false),
      three: at(3, false),
      six: at(6, false),
      namespaces: at(6, true),
      unfiltered: at(3, false, false),
    },
    { one: 'pedp', three: 'eedp', six: 'eepp', namespaces: 'eeep', unfiltered: 'pddp' },
  );
});

test('a path that would be two options is refused', () => {
  assert.throws(() => landlockCommand({ ...launch, argv: ['/a\0--allow'] }), { code: 'LAUNCH_FAILED' });
});
