import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginEnvironment } from '../../../../packages/host/src/sandbox/environment.ts';

const own = {
  HOME: '/data',
  LANG: 'C.UTF-8',
  MMM_PLUGIN: 'p',
  MMM_PROTOCOL: '1',
  PATH: '/usr/bin:/bin',
  PWD: '/plugin',
  TMPDIR: '/tmp',
};
const environment = (names: readonly string[], host: Record<string, string>) => {
  const granted = names.map((name) => ({ kind: 'environment', name }) as const);
  return pluginEnvironment({ plugin: 'p', home: '/data', temporary: '/tmp', directory: '/plugin', granted, host });
};

test('without a grant the environment is exactly what the protocol lists', () => {
  assert.deepEqual(environment([], { SECRET: 'x', PATH: '/home', NODE_EXTRA_CA_CERTS: 'x' }), own);
});

test('a granted name and a wildcard pass on what they name, and nothing that is not there', () => {
  assert.deepEqual(environment(['A', 'B_*', 'C'], { A: '1', B_X: '2', BX: '3', D: '4' }), { ...own, A: '1', B_X: '2' });
});

test('no grant, not even a wildcard for everything of a kind, passes on what changes the code that runs', () => {
  const host = {
    LD_PRELOAD: 'x',
    NODE_OPTIONS: 'x',
    PYTHONPATH: 'x',
    BASH_ENV: 'x',
    GIT_SSH_COMMAND: 'x',
    MMM_PLUGIN: 'x',
  };
  assert.deepEqual(environment(['LD_PRELOAD', 'NODE_*', 'PYTHON*', 'BASH_*', 'GIT_*', 'MMM_*'], host), own);
});

test('a grant does not replace what the host sets', () => {
  assert.deepEqual(environment(['PATH', 'HOME'], { PATH: '/home', HOME: '/root' }), own);
});
