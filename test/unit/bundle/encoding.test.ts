import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describePublicKey, parsePublicKey, payloadTypes, preAuthenticationEncoding } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';

test('is the example of the DSSE specification', () => {
  const encoded = preAuthenticationEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
  assert.equal(Buffer.from(encoded).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('counts bytes, not characters', () => {
  assert.equal(Buffer.from(preAuthenticationEncoding('ü', Buffer.from('é'))).toString(), 'DSSEv1 2 ü 2 é');
});

test('has another type for every kind of document, so that none passes for another', () => {
  const types = Object.values(payloadTypes);
  assert.equal(new Set(types).size, types.length);
});

const raw = Uint8Array.from(Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex'));

test('has an id of 32 digits, which is the beginning of its fingerprint', () => {
  const { keyid, fingerprint, publicKey } = describePublicKey(raw);
  assert.match(keyid, /^[0-9a-f]{32}$/);
  assert.match(fingerprint, /^(?:[0-9a-f]{4} ){15}[0-9a-f]{4}$/);
  assert.equal(fingerprint.replaceAll(' ', '').slice(0, 32), keyid);
  assert.deepEqual(parsePublicKey(`${publicKey}\n`), raw);
});

test('has one spelling', () => {
  const { publicKey } = describePublicKey(raw);
  // The last digit before "=" carries two unused bits.
  const twin = publicKey.replace(/.=$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=`);
  assert.deepEqual(Buffer.from(twin, 'base64'), Buffer.from(raw));
  for (const text of [twin, publicKey.slice(0, -1), `${publicKey}=`, '', 'x'.repeat(5000)]) {
    assert.throws(
      () => parsePublicKey(text),
      (error) => MmmError.is(error, 'KEY_INVALID'),
    );
  }
});

test('is refused when it is weak', () => {
  const identity = Buffer.alloc(32);
  identity[0] = 1;
  assert.throws(() => parsePublicKey(identity.toString('base64')), /small order/);
});
