import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MmmError, manifest, type Permission, permissionKey, permissionSetOf } from '@mmm/protocol';
import type { AuditEntry } from '../../../../packages/host/src/audit/audit-log.ts';
import type { PermissionRequest, PromptAnswer } from '../../../../packages/host/src/clients/prompter.ts';
import { grantCommand, type PermitServices, permit } from '../../../../packages/host/src/permit/permit.ts';
import { resolvePolicy } from '../../../../packages/host/src/permit/policy.ts';
import type { PermissionPolicyInput } from '../../../../packages/host/src/settings/policy.ts';
import { openStore } from '../../../../packages/host/src/store/store.ts';
import type { Trust, VerifiedPlugin } from '../../../../packages/host/src/verify/verified.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const own: Permission = { kind: 'state', scope: 'plugin' };
const api: Permission = { kind: 'network', host: 'api.example.com:443', reason: 'Sends your webhook' };
const git: Permission = { kind: 'commands', name: 'git' };
const shell: Permission = { kind: 'commands', name: 'bash' };
const anywhere: Permission = { kind: 'network', host: '*.example.com:443' };
const keyid = 'a'.repeat(64);
const signed: Trust = { kind: 'signed', keyid, keyName: 'Ada', fingerprint: 'aaaa', publisher: keyid };

function plugin(permissions: readonly Permission[], trust: Trust = signed): VerifiedPlugin {
  const parsed = manifest.parse({
    schema: 1,
    plugin: { name: 'hook', version: '1.2.3', description: 'd', license: 'MIT', command: ['node', 'x.js'] },
    permissions: permissionSetOf(permissions),
  });
  const spec = {
    id: 'hook',
    directory: '/p',
    origin: 'installed',
    manifestFile: '/p/plugin.toml',
    manifestSha256: '',
    manifest: parsed,
  } as const;
  return { spec, bundleSha256: 'b', bundleDirectory: '/store/b', trust } as unknown as VerifiedPlugin;
}

function setUp(t: TestContext, answers?: (request: PermissionRequest) => PromptAnswer, policy?: PermissionPolicyInput) {
  const store = openStore(join(tempFolder(t), 'state.db'));
  t.after(() => store.close());
  const audited: AuditEntry[] = [];
  const asked: PermissionRequest[] = [];
  const prompter = {
    ask: async (request: PermissionRequest): Promise<PromptAnswer> => {
      asked.push(request);
      return answers?.(request) ?? 'deny';
    },
  };
  const services: PermitServices = {
    grants: store.grants,
    policy: resolvePolicy(policy),
    audit: { append: (entry) => void audited.push(entry) },
    now: () => '2026-01-01T00:00:00.000Z',
    home: '/home/ada/.mmm',
    once: new Set(),
    ...(answers === undefined ? {} : { prompter }),
  };
  return { store, audited, asked, services, keys: () => store.grants.list('hook').map(({ key }) => key) };
}

test('a plugin gets what was granted to it and its publisher and what is automatic', async (t) => {
  const { store, services, audited } = setUp(t);
  store.grants.add('hook', 'a'.repeat(64), [api], 'user', '2026');
  const permitted = await permit(plugin([own, api, { ...git, optional: true }]), services);
  assert.deepEqual(permitted.granted.map(permissionKey), ['network=api.example.com:443', 'state=plugin']);
  assert.deepEqual(permitted.automatic, ['state=plugin']);
  assert.equal(permitted.bundleSha256, 'b');
  assert.deepEqual(audited, []);
});

test('without anybody to ask the launch fails, naming each permission and the exact command', async (t) => {
  const { services, audited, keys } = setUp(t);
  await assert.rejects(permit(plugin([own, api, anywhere]), services), (error) => {
    assert.ok(MmmError.is(error, 'CONSENT_REQUIRED'));
    assert.deepEqual(error.data.permissions.map(permissionKey), [
      'network=api.example.com:443',
      'network=*.example.com:443',
    ]);
    assert.equal(
      error.message,
      [
        'Plugin "hook" needs permissions that nobody has decided on:',
        '  ◐ network=api.example.com:443 (medium): Connect to api.example.com on port 443.',
        '  ▲ network=*.example.com:443 (critical): Connect to every computer below example.com on port 443.',
        "If you agree, run: mmm plugin grant hook network=api.example.com:443 'network=*.example.com:443'",
      ].join('\n'),
    );
    return true;
  });
  assert.deepEqual(keys(), []);
  assert.equal(audited[0]?.action, 'deny');
});

test('a grant to another publisher, or to the unsigned plugin, does not count', async (t) => {
  const { store, services } = setUp(t);
  store.grants.add('hook', 'f'.repeat(64), [api], 'user', '2026');
  store.grants.add('hook', 'unsigned', [api], 'user', '2026');
  await assert.rejects(permit(plugin([api]), services), (error) => MmmError.is(error, 'CONSENT_REQUIRED'));
  await permit(plugin([api], { kind: 'unsigned', exception: 'hook' }), services);
});

test('grants are kept under the record of the plugin, not its name', async (t) => {
  const { store, services } = setUp(t);
  store.grants.add('hook', 'a'.repeat(64), [api], 'user', '2026');
  const elsewhere = { ...services, recordId: 'hook@/project' };
  await assert.rejects(permit(plugin([api]), elsewhere), (error) => MmmError.is(error, 'CONSENT_REQUIRED'));
});

test('critical permissions are asked one by one, the others together and first', async (t) => {
  const { services, asked, audited, keys } = setUp(t, () => 'always');
  const permitted = await permit(plugin([own, api, git, shell, anywhere]), services);
  assert.deepEqual(
    asked.map(({ items }) => items.map(({ key }) => key)),
    [['network=api.example.com:443', 'commands=git'], ['network=*.example.com:443'], ['commands=bash']],
  );
  assert.deepEqual(asked[0]?.items[0], {
    permission: api,
    key: 'network=api.example.com:443',
    risk: 'medium',
    sentence: 'Connect to api.example.com on port 443.',
    reason: 'Sends your webhook',
  });
  assert.deepEqual([asked[0]?.plugin, asked[0]?.version, asked[0]?.publisher], ['hook', '1.2.3', 'Ada']);
  assert.equal(permitted.granted.length, 5);
  assert.deepEqual(keys(), [
    'commands=bash',
    'commands=git',
    'network=*.example.com:443',
    'network=api.example.com:443',
  ]);
  assert.deepEqual(
    audited.map(({ action }) => action),
    ['grant', 'grant', 'grant'],
  );
  asked.length = 0;
  await permit(plugin([own, api, git, shell, anywhere]), services);
  assert.equal(asked.length, 0);
});

test('allowed once lasts as long as the host and is not stored', async (t) => {
  const { services, asked, keys } = setUp(t, () => 'once');
  await permit(plugin([api]), services);
  await permit(plugin([api]), services);
  assert.equal(asked.length, 1);
  assert.deepEqual(keys(), []);
  await permit(plugin([api], { kind: 'unsigned', exception: 'hook' }), services);
  assert.equal(asked.length, 2);
});

test('a no to the last question leaves nothing of the earlier ones', async (t) => {
  const { services, audited, keys } = setUp(t, ({ items }) => (items[0]?.risk === 'critical' ? 'deny' : 'always'));
  await assert.rejects(permit(plugin([api, shell]), services), (error) => {
    assert.ok(MmmError.is(error, 'PERMISSION_DENIED'));
    assert.equal(error.data.permission, 'commands=bash');
    return true;
  });
  assert.deepEqual(keys(), []);
  assert.deepEqual(
    audited.map(({ action }) => action),
    ['deny'],
  );
});

test('a prompter that fails counts as nobody to ask', async (t) => {
  const { services } = setUp(t, () => {
    throw new Error('terminal is gone');
  });
  await assert.rejects(permit(plugin([api]), services), (error) => MmmError.is(error, 'CONSENT_REQUIRED'));
});

test('what cannot be audited is not granted', async (t) => {
  const { services, keys } = setUp(t, () => 'always');
  const audit = {
    append: (): void => {
      throw new Error('disk full');
    },
  };
  await assert.rejects(permit(plugin([api]), { ...services, audit }), /disk full/);
  assert.deepEqual(keys(), []);
});

test('what the policy refuses stops the launch if it is required and is absent if it is optional', async (t) => {
  const { services, asked, audited } = setUp(t, () => 'always', { refuse: ['commands'] });
  await assert.rejects(permit(plugin([git]), services), (error) => {
    assert.ok(MmmError.is(error, 'PERMISSION_DENIED'));
    assert.match(error.message, /refused by `refuse` \("commands"\) of \[policy\] in policy\. Change that entry/);
    return true;
  });
  assert.deepEqual(
    audited.map(({ action }) => action),
    ['refused'],
  );
  const permitted = await permit(plugin([own, { ...git, optional: true }]), services);
  assert.deepEqual(permitted.granted.map(permissionKey), ['state=plugin']);
  assert.equal(asked.length, 0);
});

test('a manifest that asks for what is never granted is refused at each launch', async (t) => {
  const { services } = setUp(t, () => 'always');
  await assert.rejects(permit(plugin([{ kind: 'environment', name: 'LD_PRELOAD' }]), services), (error) => {
    assert.ok(MmmError.is(error, 'GRANT_INVALID'));
    assert.match(error.message, /never granted/);
    return true;
  });
});

test('the command that grants can be pasted into a shell', () => {
  assert.equal(
    grantCommand('acme/hook', ['network=a.b:443', 'network=h!private', "filesystem=read:/it's", 'model=*']),
    "mmm plugin grant acme/hook network=a.b:443 'network=h!private' 'filesystem=read:/it'\\''s' 'model=*'",
  );
});
