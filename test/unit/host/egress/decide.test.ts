import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../../packages/host/src/egress/decide.ts';
import { egressRules } from '../../../../packages/host/src/egress/rule.ts';

const rules = egressRules([
  { kind: 'network', host: 'public.test' },
  { kind: 'network', host: 'private.test', private: true },
  { kind: 'network', host: '169.254.169.254', private: true },
  { kind: 'network', host: '169.254.0.1' },
  { kind: 'network', host: '[fd00:ec2::254]', private: true },
  { kind: 'network', host: '168.63.129.16' },
]);

function outcome(host: string, addresses: readonly string[]): string {
  const verdict = decide(rules, { scheme: 'tunnel', host, port: 443 }, addresses);
  return verdict.allowed ? verdict.addresses.join(' ') : verdict.reason;
}

const cases: readonly [host: string, addresses: readonly string[], expected: string][] = [
  ['public.test', ['8.8.8.8'], '8.8.8.8'],
  ['public.test', ['127.0.0.1'], 'address'],
  ['public.test', ['::ffff:127.0.0.1'], 'address'],
  ['public.test', ['10.0.0.1', '8.8.8.8'], '8.8.8.8'],
  ['public.test', ['0.0.0.0'], 'address'],
  ['public.test', [], 'unresolved'],
  ['other.test', ['8.8.8.8'], 'not_granted'],
  ['private.test', ['127.0.0.1', '10.0.0.1', '8.8.8.8'], '127.0.0.1 10.0.0.1 8.8.8.8'],
  ['private.test', ['169.254.169.254'], 'address'],
  ['private.test', ['0.0.0.0', '224.0.0.1'], 'address'],
  ['169.254.169.254', ['169.254.169.254'], '169.254.169.254'],
  ['169.254.0.1', ['169.254.0.1'], 'address'],
  ['private.test', ['fd00:ec2::254', '168.63.129.16', '100.100.100.200'], 'address'],
  ['fd00:ec2::254', ['fd00:ec2::254'], 'fd00:ec2::254'],
  ['168.63.129.16', ['168.63.129.16'], 'address'],
];
for (const [host, addresses, expected] of cases) {
  test(`${host} at ${addresses.join(' and ') || 'no address'}: ${expected}`, () => {
    assert.equal(outcome(host, addresses), expected);
  });
}

test('a refusal says what was refused, why, and what would allow it', () => {
  const verdict = decide(rules, { scheme: 'http', host: 'public.test', port: 443 }, ['10.0.0.1', '127.0.0.1']);
  assert.ok(!verdict.allowed);
  assert.equal(
    verdict.message,
    'http://public.test:443 leads to a private address and an address of this machine, which the grant does not ' +
      'include. Private addresses need a grant with `private = true`.',
  );
});
