import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError, type Permission, permissionKey } from '@mmm/protocol';
import { type Decision, decide } from '../../../../packages/host/src/permit/decide.ts';
import { resolvePolicy } from '../../../../packages/host/src/permit/policy.ts';
import type { PermissionPolicyInput } from '../../../../packages/host/src/settings/policy.ts';

const own: Permission = { kind: 'state', scope: 'plugin' };
const named: Permission = { kind: 'network', host: 'api.example.com' };
const wildcard: Permission = { kind: 'network', host: '*.example.com' };
const files: Permission = { kind: 'filesystem', access: 'read', path: '/srv/data' };
const requested = [own, named, wildcard, files];

function outcome(permission: Permission, policy: PermissionPolicyInput, granted: readonly Permission[] = []): string {
  const decision = decide([permission], new Set(granted.map(permissionKey)), resolvePolicy(policy));
  const names = (Object.keys(decision) as (keyof Decision)[]).filter((name) => decision[name].length > 0);
  return names.join('+');
}

test('by default only low is automatic; the rest is missing', () => {
  const decision = decide(requested, new Set(), resolvePolicy());
  assert.deepEqual(decision, {
    granted: [own],
    automatic: [own],
    missing: [named, wildcard, files],
    optional: [],
    refused: [],
  });
});

test('what the user granted is granted and not automatic', () => {
  assert.equal(outcome(named, {}, [named]), 'granted');
  assert.equal(outcome(wildcard, {}, [wildcard]), 'granted');
});

test('a grant of anything the manifest does not request has no effect', () => {
  const keys = new Set([permissionKey(files), permissionKey(wildcard)]);
  assert.deepEqual(decide([named], keys, resolvePolicy()).granted, []);
  assert.equal(outcome(named, {}, [wildcard]), 'missing');
});

test('an optional permission is absent without being missing', () => {
  assert.equal(outcome({ ...named, optional: true }, {}), 'optional');
  assert.equal(outcome({ ...named, optional: true }, {}, [named]), 'granted');
  assert.equal(outcome({ ...own, optional: true }, {}), 'granted+automatic');
});

test('requested twice counts once, as required', () => {
  const decision = decide([{ ...named, optional: true }, named], new Set(), resolvePolicy());
  assert.deepEqual([decision.missing.length, decision.optional.length], [1, 0]);
});

const matrix: readonly [PermissionPolicyInput, Permission, string][] = [
  [{ auto: ['network'] }, named, 'granted+automatic'],
  [{ auto: ['network'] }, own, 'granted+automatic'],
  [{ auto: ['network'] }, wildcard, 'missing'],
  [{ auto: ['network'] }, files, 'missing'],
  [{ auto: ['medium', 'high'] }, files, 'granted+automatic'],
  [{ auto: ['medium'], ask: ['network'] }, named, 'missing'],
  [{ ask: ['low'] }, own, 'missing'],
  [{ ask: ['low'], auto: ['state'] }, own, 'granted+automatic'],
  [{ refuse: ['network'] }, named, 'refused'],
  [{ refuse: ['critical'], auto: ['network'] }, wildcard, 'refused'],
  [{ refuse: ['high'], auto: ['filesystem'] }, files, 'refused'],
];
for (const [policy, permission, expected] of matrix) {
  test(`${JSON.stringify(policy)} makes ${permissionKey(permission)} ${expected}`, () => {
    assert.equal(outcome(permission, policy), expected);
  });
}

test('a policy that refuses counts more than a grant', () => {
  assert.equal(outcome(named, { refuse: ['network'] }, [named]), 'refused');
});

test('what is never granted is refused whatever was granted', () => {
  const loader: Permission = { kind: 'environment', name: 'LD_PRELOAD' };
  assert.equal(outcome(loader, { auto: ['environment', 'high'] }, [loader]), 'refused');
});

test('a policy has defaults, and a wrong one is refused with every problem', () => {
  assert.deepEqual(resolvePolicy().sources[0]?.section, { auto: [], ask: [], refuse: [], require: [], plugins: {} });
  assert.throws(
    () => resolvePolicy({ auto: ['critical', 'network'], refuse: ['network'] }, 'config.toml'),
    (error) => {
      assert.ok(MmmError.is(error, 'CONFIG_INVALID'));
      assert.match(error.message, /config\.toml.*policy\.auto.*critical.*policy\.refuse.*network/);
      assert.equal(error.data.issues.length, 2);
      return true;
    },
  );
  assert.throws(() => resolvePolicy({ auto: ['netwrok'] }), /found "netwrok"; did you mean "network"\?/);
});
