import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  listPermissions,
  networkHost,
  type Permission,
  type PermissionSet,
  parseNetworkHost,
  parsePermissionKey,
  permissionEntries,
  permissionKey,
  permissionKinds,
  permissionSet,
  permissionSetOf,
  pluginMethods,
} from '@mmm/protocol';

const one: { readonly [K in Permission['kind']]: readonly [key: string, permission: Permission] } = {
  filesystem: ['filesystem=read:/p', { kind: 'filesystem', access: 'read', path: '/p' }],
  network: ['network=h:443', { kind: 'network', host: 'h:443' }],
  environment: ['environment=TOKEN', { kind: 'environment', name: 'TOKEN' }],
  commands: ['commands=git', { kind: 'commands', name: 'git' }],
  devices: ['devices=midi', { kind: 'devices', name: 'midi' }],
  system_control: ['system_control=volume', { kind: 'system_control', name: 'volume' }],
  messages: ['messages=date', { kind: 'messages', to: 'date' }],
  compose: ['compose=date:add', { kind: 'compose', plugin: 'date', capability: 'add' }],
  state: ['state=project', { kind: 'state', scope: 'project' }],
  model: ['model=*', { kind: 'model' }],
  project: ['project=write', { kind: 'project', access: 'write' }],
};

for (const [key, permission] of Object.values(one)) {
  test(`${key} is spelt and read back`, () => {
    assert.equal(permissionKey(permission), key);
    assert.deepEqual(parsePermissionKey(key), permission);
  });
}

test('a permission key leaves out reason and optional', () => {
  const reasoned: Permission = { kind: 'state', scope: 'project', reason: 'Remembers', optional: true };
  assert.equal(permissionKey(reasoned), 'state=project');
});

test('a path may contain what keys are made of', () => {
  const permission = parsePermissionKey('filesystem=write:/a=b:c');
  assert.deepEqual(permission, { kind: 'filesystem', access: 'write', path: '/a=b:c' });
});

test('a network key always has the port, so that both spellings of a host are one permission', () => {
  const keys = ['h', 'h:443', 'http://h', 'http://h:80', 'https://h', '*.h', '[::1]:8080', 'h:*'].map((host) => {
    return permissionKey({ kind: 'network', host });
  });
  assert.deepEqual(keys, [
    'network=h:443',
    'network=h:443',
    'network=http://h:80',
    'network=http://h:80',
    'network=https://h:443',
    'network=*.h:443',
    'network=[::1]:8080',
    'network=h:*',
  ]);
});

test('a grant for private addresses is another permission than one for public ones', () => {
  const key = 'network=router.lan:80!private';
  assert.deepEqual(parsePermissionKey(key), { kind: 'network', host: 'router.lan:80', private: true });
  assert.equal(permissionKey({ kind: 'network', host: 'router.lan:80', private: true }), key);
});

for (const host of ['a b', 'A.com', 'a..b', '-a', 'a-', '*', '*.', 'a:0', 'a:65536', 'a:b', 'http://', 'a/b', 'u@h']) {
  test(`"${host}" is no network host`, () => {
    assert.equal(networkHost.safeParse(host).success, false);
  });
}

test('a network host is taken apart with the port filled in', () => {
  assert.deepEqual(parseNetworkHost('mqtts://*.example.com'), {
    scheme: 'mqtts',
    host: '*.example.com',
    port: 8883,
  });
  assert.deepEqual(parseNetworkHost('example.com:*'), { scheme: undefined, host: 'example.com', port: '*' });
});

for (const key of ['', 'network', 'network=', 'nonsense=1', 'filesystem=/p', 'filesystem=own:/p', 'state=everything']) {
  test(`"${key}" is no permission, and a sentence says so`, () => {
    const result = parsePermissionKey(key);
    assert.ok('problem' in result && result.problem.includes(`"${key}"`), JSON.stringify(result));
  });
}

test('a set becomes a list in the order of the kinds and a set again', () => {
  const set: PermissionSet = {
    state: [{ scope: 'plugin' }],
    filesystem: [
      { path: '/a', access: 'read', reason: 'Reads it' },
      { path: '/b', access: 'write', optional: true },
    ],
  };
  const list = listPermissions(set);
  assert.deepEqual(list.map(permissionKey), ['filesystem=read:/a', 'filesystem=write:/b', 'state=plugin']);
  assert.deepEqual(permissionSetOf(list), set);
});

test('every kind of permission has an entry, a list and an example', () => {
  assert.deepEqual(permissionKinds, Object.keys(permissionEntries));
  assert.deepEqual(Object.keys(permissionSet.shape), [...permissionKinds]);
  assert.deepEqual(Object.keys(one), [...permissionKinds]);
});

test('on the wire a permission of a newer release is ignored, in a manifest it is refused', () => {
  const newer = { network: [{ host: 'h', quota_mb: 5 }], teleport: [{ to: 'mars' }] };
  assert.equal(permissionSet.safeParse(newer).success, false);
  assert.equal(pluginMethods.permissions_changed.params.safeParse({ permissions: newer }).success, true);
});
