import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { MmmError, RpcError } from '@mmm/protocol';
import { CallFailed } from '@mmm/rpc';
import { Redactor } from '../../../../packages/host/src/config/redactor.ts';

function redactor(...secrets: unknown[]): Redactor {
  const made = new Redactor();
  for (const secret of secrets) made.add(secret);
  return made;
}

test('a secret is taken out as it is and as it looks in JSON, addresses and base64', () => {
  const secret = 'pa"ss wörd/1';
  const { text } = { text: (words: string) => redactor({ deep: [secret] }).text(words) };
  assert.equal(text(`a ${secret} b ${secret}`), 'a [secret] b [secret]');
  assert.equal(text(JSON.stringify({ key: secret })), '{"key":"[secret]"}');
  assert.equal(text(JSON.stringify(JSON.stringify({ key: secret }))), '"{\\"key\\":\\"[secret]\\"}"');
  assert.equal(text(`?key=${new URLSearchParams({ k: secret }).toString().slice(2)}`), '?key=[secret]');
  assert.equal(text(`?key=${encodeURIComponent(secret)}`), '?key=[secret]');
  assert.equal(text(`Basic ${Buffer.from(secret).toString('base64')}`).includes('cGE'), false);
  assert.equal(text('nothing of it'), 'nothing of it');
});

test('several lines are taken out line by line, and the longest secret first', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n';
  assert.equal(redactor(key).text('it is MIIEvQIBADANBg here'), 'it is [secret] here');
  assert.equal(redactor('abcd', 'abcdefgh').text('abcdefgh'), '[secret]');
  assert.equal(redactor('abc', '').text('abc'), 'abc');
  assert.equal(redactor({ pin: 123_456 }).text('the pin is 123456'), 'the pin is [secret]');
});

test('the beginning of a secret at the end of a cut text goes too', () => {
  const made = redactor('correct-horse-battery');
  assert.equal(made.text('… correct-horse', true), '… [secret]');
  assert.equal(made.text('… correct-horse'), '… correct-horse');
  assert.equal(made.text('… cor', true), '… cor');
});

test('values are made safe to any depth, names included, and stay themselves without secrets', () => {
  const value = { list: ['topsecret'], topsecret: 1, other: null, number: 98_765 };
  assert.deepEqual(redactor('topsecret', 98_765).value(value), {
    list: ['[secret]'],
    '[secret]': 1,
    other: null,
    number: '[secret]',
  });
  assert.equal(new Redactor().value(value), value);
});

test('errors keep their kind and lose the secret in message, data, cause and stack', () => {
  const made = redactor('topsecret');
  const cause = new RpcError(-32000, 'topsecret', { kind: 'x', retryable: false, details: 'topsecret' });
  const data = { plugin: 'p', method: 'execute', rpcCode: 1, rpcData: { a: 'topsecret' } };
  const error = made.error(new MmmError('CALL_REJECTED', 'it said topsecret', data, { cause }));
  assert.ok(MmmError.is(error, 'CALL_REJECTED') && error.cause instanceof RpcError);
  assert.deepEqual(error.data.rpcData, { a: '[secret]' });
  const failed = made.error(new CallFailed('invalid_result', 'topsecret', [{ path: 'topsecret', message: 'm' }]));
  assert.ok(failed instanceof CallFailed && failed.reason === 'invalid_result');
  const plain = made.error(new Error('topsecret', { cause: new TypeError('topsecret') }));
  assert.ok(!inspect([error, failed, plain], { depth: 9 }).includes('topsecret'));
  const harmless = new TypeError('harmless');
  assert.equal(made.error(harmless), harmless);
});
