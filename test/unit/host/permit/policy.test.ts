import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Permission, parsePermissionKey } from '@mmm/protocol';
import { overlaps } from '../../../../packages/host/src/permit/covers.ts';
import { entryText, PermissionPolicy } from '../../../../packages/host/src/permit/policy.ts';
import { riskOf } from '../../../../packages/host/src/permit/risk.ts';
import { type PermissionPolicyInput, policySection } from '../../../../packages/host/src/settings/policy.ts';

const context = { userHome: '/home/ada', home: '/home/ada/.mmm', project: '/home/ada/work' };

function permission(key: string): Permission {
  const parsed = parsePermissionKey(key);
  assert.ok(!('problem' in parsed), key);
  return parsed;
}

function policyOf(...inputs: readonly PermissionPolicyInput[]): PermissionPolicy {
  return new PermissionPolicy(
    inputs.map((one, index) => ({ where: `file ${index}`, section: policySection.parse(one) })),
  );
}

function verdict(policy: PermissionPolicy, key: string, plugin?: string): string {
  const asked = permission(key);
  return policy.about(asked, riskOf(asked, context), { ...context, ...(plugin === undefined ? {} : { plugin }) })
    .verdict;
}

const cases: readonly [PermissionPolicyInput, string, string][] = [
  // The most exact entry of a table decides.
  [{ refuse: ['network'], ask: ['network=api.test:443'] }, 'network=api.test', 'ask'],
  [{ refuse: ['network'], auto: ['network=api.test:443'] }, 'network=api.test', 'automatic'],
  [{ refuse: ['network'], auto: ['network=api.test:443'] }, 'network=other.test', 'refuse'],
  [{ refuse: ['medium'], auto: ['network=*.test.org:443'] }, 'network=api.test.org', 'automatic'],
  [{ auto: ['network'], ask: ['network=api.test'] }, 'network=api.test:443', 'ask'],
  [{ auto: ['network=api.test', 'medium'], refuse: ['network=api.test:443'] }, 'network=api.test', 'refuse'],
  // What it grants covers less than what is asked.
  [{ auto: ['network=api.test:443'] }, 'network=api.test:8443', 'ask'],
  [{ auto: ['filesystem=read:/srv'] }, 'filesystem=read:/srv/data', 'automatic'],
  [{ auto: ['filesystem=read:/srv'] }, 'filesystem=write:/srv/data', 'ask'],
  // A refusal is met by whatever would reach what it names.
  [{ refuse: ['network=evil.test.org:443'] }, 'network=*.test.org', 'refuse'],
  [{ refuse: ['network=*.test.org:*'] }, 'network=a.test.org:22', 'refuse'],
  [{ refuse: ['filesystem=read:/srv/secret'] }, 'filesystem=read:/srv', 'refuse'],
  [{ refuse: ['filesystem=read:/srv/secret'] }, 'filesystem=write:/srv/secret/x', 'refuse'],
  [{ refuse: ['filesystem=write:/srv'] }, 'filesystem=read:/srv', 'ask'],
  [{ refuse: ['filesystem=read:/home/ada/mail'] }, `filesystem=read:\${home}/mail/new`, 'refuse'],
  [{ refuse: [`filesystem=read:\${project}/keys`] }, 'filesystem=read:/home/ada/work/keys', 'refuse'],
  [{ refuse: ['environment=AWS_*'] }, 'environment=AWS_REGION', 'refuse'],
  [{ refuse: ['environment=AWS_REGION'] }, 'environment=A*', 'refuse'],
  // Nothing makes a critical permission automatic.
  [{ auto: ['commands', 'high', 'commands=bash'] }, 'commands=bash', 'ask'],
  [{ auto: ['network=db.lan:5432!private'] }, 'network=db.lan:5432!private', 'ask'],
];
for (const [policy, key, expected] of cases) {
  test(`with ${JSON.stringify(policy)} the answer about ${key} is ${expected}`, () => {
    assert.equal(verdict(policyOf(policy), key), expected);
  });
}

test('what is said of one plugin counts before what is said of all, and only for that one', () => {
  const policy = policyOf({
    refuse: ['network'],
    plugins: { weather: { auto: ['network'] }, news: { refuse: ['low'] } },
  });
  assert.equal(verdict(policy, 'network=api.test', 'weather'), 'automatic');
  assert.equal(verdict(policy, 'network=api.test', 'news'), 'refuse');
  assert.equal(verdict(policy, 'network=api.test'), 'refuse');
  assert.equal(verdict(policy, 'state=plugin', 'news'), 'refuse');
  assert.equal(verdict(policy, 'state=plugin', 'weather'), 'automatic');
});

test('a refusal of any source holds; of the rest the first source counts', () => {
  assert.equal(
    verdict(policyOf({ auto: ['network'] }, { refuse: ['network=*.test.org'] }), 'network=a.test.org'),
    'refuse',
  );
  assert.equal(verdict(policyOf({ refuse: ['network'] }, { auto: ['network'] }), 'network=a.test.org'), 'refuse');
  assert.equal(verdict(policyOf({ auto: ['network'] }, { ask: ['network'] }), 'network=a.test.org'), 'automatic');
  assert.equal(verdict(policyOf({}, { auto: ['network'] }), 'network=a.test.org'), 'automatic');
});

test('an answer names the list, the entry, the table and the file', () => {
  const policy = policyOf({ plugins: { 'ada/weather': { refuse: ['network=*.test.org:*'] } } });
  const asked = permission('network=a.test.org');
  const { by } = policy.about(asked, 'medium', { plugin: 'ada/weather' });
  assert.ok(by);
  assert.equal(entryText(by), '`refuse` ("network=*.test.org:*") of [policy.plugins."ada/weather"] in file 0');
  assert.equal(policy.about(asked, 'medium').by, undefined);
});

test('overlapping is mutual for hosts and names, and needs the same port and scheme', () => {
  const pairs: readonly [string, string, boolean][] = [
    ['network=*.a.test:443', 'network=x.a.test:443', true],
    ['network=*.a.test:443', 'network=*.x.a.test:443', true],
    ['network=*.a.test:443', 'network=a.test:443', false],
    ['network=*.a.test:443', 'network=xa.test:443', false],
    ['network=a.test:443', 'network=a.test:*', true],
    ['network=a.test:443', 'network=a.test:80', false],
    ['network=http://a.test:80', 'network=ws://a.test:80', false],
    ['network=http://a.test:80', 'network=a.test:80', true],
    ['messages=plugin_*', 'messages=plugin_a', true],
    ['compose=a*:run', 'compose=ab:*', true],
    ['compose=a*:run', 'compose=ab:walk', false],
    ['environment=A*', 'messages=A*', false],
    ['commands=git', 'commands=git', true],
  ];
  for (const [one, other, expected] of pairs) {
    assert.equal(overlaps(permission(one), permission(other)), expected, `${one} and ${other}`);
    assert.equal(overlaps(permission(other), permission(one)), expected, `${other} and ${one}`);
  }
});

test('to refuse only the private addresses of a host leaves its public ones', () => {
  assert.equal(overlaps(permission('network=a.test:443'), permission('network=a.test:443!private')), false);
  assert.equal(overlaps(permission('network=a.test:443!private'), permission('network=a.test:443')), true);
});
