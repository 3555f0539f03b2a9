import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  readSocksGreeting,
  readSocksRequest,
  type SocksReading,
  socksAnswer,
  socksChoice,
  socksPieceBytesMax,
  socksReplies,
} from '../../../../packages/host/src/egress/socks.ts';
import { socksGreeting, socksNameRequest, socksRequest } from '../../../support/socks-client.ts';

function whole<T>(reading: SocksReading<T>): { value: T; bytes: number } {
  assert.equal(reading.kind, 'whole', JSON.stringify(reading));
  const { value, bytes } = reading as Extract<SocksReading<T>, { kind: 'whole' }>;
  return { value, bytes };
}

test('a greeting is read with the bytes it takes, and content without a password or not', () => {
  assert.deepEqual(whole(readSocksGreeting(socksGreeting(0))), { value: true, bytes: 3 });
  assert.deepEqual(whole(readSocksGreeting(socksGreeting(2, 1, 0))), { value: true, bytes: 5 });
  assert.deepEqual(whole(readSocksGreeting(Buffer.concat([socksGreeting(2), Buffer.from([0])]))), {
    value: false,
    bytes: 3,
  });
  assert.deepEqual(whole(readSocksGreeting(socksGreeting())), { value: false, bytes: 2 });
  assert.deepEqual([...socksChoice(true), ...socksChoice(false)], [5, 0, 5, 0xff]);
});

test('a request is read in each of its three types of address', () => {
  const read = (host: string): { host: string; port: number } =>
    whole(readSocksRequest(socksRequest(host, 1883))).value;
  assert.deepEqual(read('Broker.TEST.'), { host: 'broker.test', port: 1883 });
  assert.deepEqual(read('192.0.2.7'), { host: '192.0.2.7', port: 1883 });
  assert.deepEqual(read('2606:4700:0:0:0:0:0:1111'), { host: '2606:4700::1111', port: 1883 });
  const followed = Buffer.concat([socksRequest('h.test', 443), Buffer.from('early')]);
  assert.equal(whole(readSocksRequest(followed)).bytes, followed.length - 5);
});

test('a name that is a number in disguise is the address it stands for', () => {
  for (const name of ['127.1', '0x7f.1', '0x7f000001', '2130706433', '017700000001', '0177.0.0.1', '127.0.0.1.']) {
    assert.equal(whole(readSocksRequest(socksRequest(name, 80))).value.host, '127.0.0.1', name);
  }
  assert.equal(whole(readSocksRequest(socksRequest('[::1]', 80))).value.host, '::1');
});

test('an address in brackets of another is kept apart from that other', () => {
  const mapped = whole(readSocksRequest(socksRequest('0:0:0:0:0:ffff:7f00:1', 80))).value.host;
  assert.equal(mapped, '::ffff:7f00:1');
});

test('a request that is not one, or not one for a connection, is refused with the reply for it', () => {
  const replyOf = (bytes: Buffer): string => {
    const reading = readSocksRequest(bytes);
    return reading.kind === 'invalid' ? reading.reply : reading.kind;
  };
  const good = socksRequest('h.test', 443);
  const with_ = (index: number, value: number): Buffer => {
    const changed = Buffer.from(good);
    changed[index] = value;
    return changed;
  };
  assert.equal(replyOf(with_(0, 4)), 'general_failure');
  assert.equal(replyOf(with_(1, 2)), 'command_not_supported');
  assert.equal(replyOf(with_(1, 3)), 'command_not_supported');
  assert.equal(replyOf(with_(1, 0)), 'command_not_supported');
  assert.equal(replyOf(with_(2, 1)), 'general_failure');
  assert.equal(replyOf(with_(3, 2)), 'address_type_not_supported');
  assert.equal(replyOf(socksRequest('h.test', 0)), 'general_failure');
  for (const name of [
    ...[
      '',
      '.',
      'a b',
      'h.test\0',
      '\0',
      'h.test\0.evil.test',
      'x@h.test',
      'h.test:443',
      'h.test/',
      'h.test%00',
      'h..test',
    ],
    ...[
      '::1',
      'fe80::1%eth0',
      '256.1.1.1',
      'a\r\nb',
      '\xe4.test',
      'b\xc3\xbccher.test',
      'a_b.test',
      '-a.test',
      'a'.repeat(255),
    ],
  ]) {
    assert.equal(replyOf(socksNameRequest(name, 443)), 'general_failure', JSON.stringify(name));
  }
});

test('however the bytes arrive, what is read is the same, and no piece is longer than is kept', () => {
  for (const [read, message] of [
    [readSocksGreeting, socksGreeting(...Array.from({ length: 255 }, (_, index) => index))],
    [readSocksRequest, socksRequest(`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`, 443)],
    [readSocksRequest, socksRequest('192.0.2.7', 443)],
    [readSocksRequest, socksRequest('2606:4700:0:0:0:0:0:1111', 443)],
  ] as const) {
    assert.ok(message.length <= socksPieceBytesMax);
    for (let length = 0; length < message.length; length += 1) {
      assert.equal(read(message.subarray(0, length)).kind, 'more', `${length} of ${message.length}`);
    }
    assert.equal(whole<unknown>(read(message)).bytes, message.length);
  }
});

test('every message with one byte changed is refused, unfinished, or a host that can be judged', () => {
  for (const message of [socksRequest('h.test', 443), socksRequest('192.0.2.7', 443)]) {
    for (let index = 0; index < message.length; index += 1) {
      for (let value = 0; value < 256; value += 1) {
        const changed = Buffer.from(message);
        changed[index] = value;
        const reading = readSocksRequest(changed);
        if (reading.kind !== 'whole') continue;
        assert.match(reading.value.host, /^[a-z0-9.:-]+$/, `byte ${index} = ${value}`);
        assert.ok(reading.value.port >= 1 && reading.value.port <= 65_535);
        assert.ok(reading.bytes <= changed.length);
      }
    }
  }
});

test('an answer tells nothing about the host', () => {
  for (const [name, code] of Object.entries(socksReplies)) {
    assert.deepEqual([...socksAnswer(name as keyof typeof socksReplies)], [5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
  }
});
