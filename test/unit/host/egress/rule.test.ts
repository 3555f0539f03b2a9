import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Permission } from '@mmm/protocol';
import {
  canonicalHost,
  egressRules,
  formatAuthority,
  parseAuthority,
  type RequestScheme,
  ruleCovers,
} from '../../../../packages/host/src/egress/rule.ts';

const network = (host: string): Permission => ({ kind: 'network', host });

test('every spelling of a host leads to one', () => {
  for (const text of ['127.0.0.1', '127.1', '0x7f.1', '0x7f000001', '2130706433', '017700000001', '0177.0.0.1']) {
    assert.equal(canonicalHost(text), '127.0.0.1', text);
  }
  for (const text of ['example.com', 'EXAMPLE.com', 'example.com.']) assert.equal(canonicalHost(text), 'example.com');
  for (const text of ['[::1]', '[0:0::1]', '[0000:0000:0000:0000:0000:0000:0000:0001]']) {
    assert.equal(canonicalHost(text), '::1');
  }
});

test('a name in another script is another name, however it looks', () => {
  assert.equal(canonicalHost('xn--80ak6aa92e.com'), 'xn--80ak6aa92e.com');
  assert.equal(canonicalHost('XN--80AK6AA92E.COM.'), 'xn--80ak6aa92e.com');
  const [rule] = egressRules([network('apple.com')]);
  assert.ok(rule);
  const covers = (host: string): boolean => ruleCovers(rule, { scheme: 'tunnel', host, port: 443 });
  assert.deepEqual([covers('apple.com'), covers('xn--80ak6aa92e.com')], [true, false]);
  // Written in that script, with invisible characters, or as an encoding that stands for plain letters: no host at all.
  for (const text of [
    '\u0430pple.com',
    'app\u00adle.com',
    'app\u200ble.com',
    'apple\u3002com',
    'xn--apple-.com',
    'xn--.com',
  ]) {
    assert.equal(canonicalHost(text), undefined, JSON.stringify(text));
  }
});

test('what is no host is refused', () => {
  for (const text of [
    ...['', '.', '..', 'a..b', 'a b', 'a\0b', 'a%00b', 'a%2eb', 'x@y', 'a\\b', 'a/b', 'a?b', 'a#b', '-a', 'a-', 'a_b'],
    ...['exämple.com', 'a。b', 'ａ.com', '１２７.0.0.1', '[::1', '::1', '[127.0.0.1]', '[fe80::1%25eth0]', '256.1.1.1'],
    ...['1.2.3.4.5', 'a:1', 'a\r\nb', `${'a'.repeat(64)}.com`, `${'a.'.repeat(127)}com`],
  ]) {
    assert.equal(canonicalHost(text), undefined, JSON.stringify(text));
  }
});

test('an authority is a host and a port', () => {
  assert.deepEqual(parseAuthority('h.test:443'), { host: 'h.test', port: 443 });
  assert.deepEqual(parseAuthority('[::1]:80'), { host: '::1', port: 80 });
  assert.deepEqual(parseAuthority('h.test', 80), { host: 'h.test', port: 80 });
  for (const text of ['h.test', 'h.test:', 'h.test:0', 'h.test:65536', 'h.test:1:2', 'u@h.test:1', ':1', 'h.test:1x']) {
    assert.equal(parseAuthority(text), undefined, text);
  }
  assert.deepEqual([formatAuthority('::1', 80), formatAuthority('h', 1)], ['[::1]:80', 'h:1']);
});

const covered: readonly [rule: string, scheme: RequestScheme, host: string, port: number, expected: boolean][] = [
  ['h.test', 'tunnel', 'h.test', 443, true],
  ['h.test', 'https', 'h.test', 443, true],
  ['h.test', 'tunnel', 'h.test', 80, false],
  ['h.test:*', 'tunnel', 'h.test', 1, true],
  ['h.test', 'tunnel', 'sub.h.test', 443, false],
  ['h.test', 'tunnel', 'h.test.evil.test', 443, false],
  ['*.h.test', 'tunnel', 'sub.h.test', 443, true],
  ['*.h.test', 'tunnel', 'a.b.h.test', 443, true],
  ['*.h.test', 'tunnel', 'h.test', 443, false],
  ['*.h.test', 'tunnel', 'evilh.test', 443, false],
  ['http://h.test', 'http', 'h.test', 80, true],
  ['http://h.test', 'tunnel', 'h.test', 80, false],
  ['http://h.test:443', 'https', 'h.test', 443, false],
  ['https://h.test', 'tunnel', 'h.test', 443, true],
  ['https://h.test', 'https', 'h.test', 443, true],
  ['https://h.test:80', 'http', 'h.test', 80, false],
  ['mqtts://h.test', 'tunnel', 'h.test', 8883, true],
  ['mqtt://h.test', 'http', 'h.test', 1883, false],
  ['127.0.0.1:80', 'http', '127.0.0.1', 80, true],
  ['[0:0::1]:80', 'http', '::1', 80, true],
];
for (const [rule, scheme, host, port, expected] of covered) {
  test(`${rule} ${expected ? 'covers' : 'does not cover'} ${scheme} to ${host}:${port}`, () => {
    const [parsed] = egressRules([network(rule)]);
    assert.ok(parsed);
    assert.equal(ruleCovers(parsed, { scheme, host, port }), expected);
  });
}

test('only network permissions that can be read exactly become rules', () => {
  const granted: Permission[] = [{ kind: 'model' }, network('*.com'), network('1.2.3.4.5'), network('h.test')];
  assert.deepEqual(
    egressRules(granted).map(({ text }) => text),
    ['h.test'],
  );
});
