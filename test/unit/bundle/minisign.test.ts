import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type MinisignSignature, minisignMessage, parseMinisign, parseMinisignKey, verifyMinisign } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { tempFolder } from '../../support/temp-folder.ts';

/** Published with minisign: its author's key, and two signatures over a file that holds "test". */
const key = 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3';
const prehashed = [
  'untrusted comment: signature from minisign secret key',
  'RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=',
  'trusted comment: timestamp:1633700835\tfile:test\tprehashed',
  'wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==',
  '',
].join('\n');
const older = [
  'untrusted comment: signature from minisign secret key',
  'RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=',
  'trusted comment: timestamp:1555779966\tfile:test',
  'QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==',
  '',
].join('\n');

function parsed(text: string): MinisignSignature {
  const signature = parseMinisign(text);
  assert.ok(!('problem' in signature), JSON.stringify(signature));
  return signature;
}

async function holds(text: string, content: string): Promise<boolean> {
  const { algorithm, ...signature } = parsed(text);
  const message = algorithm === 'ED' ? createHash('blake2b512').update(content).digest() : Buffer.from(content);
  return await verifyMinisign(message, signature, parseMinisignKey(key).publicKey);
}

for (const [kind, text] of Object.entries({ prehashed, older })) {
  test(`a published signature of the kind "${kind}" holds over its file and no other`, async () => {
    assert.equal(await holds(text, 'test'), true);
    assert.equal(await holds(text, 'Test'), false);
    assert.equal(parsed(text).keyid, parseMinisignKey(key).keyid);
  });

  test(`a trusted comment that was changed spoils a signature of the kind "${kind}"`, async () => {
    assert.match(parsed(text).trustedComment, /^timestamp:\d+\tfile:test/);
    assert.equal(await holds(text.replace('file:test', 'file:best'), 'test'), false);
    assert.equal(await holds(text.replace('file:test', 'file:test '), 'test'), false);
    assert.equal(await holds(text.replace('signature from', 'nobody vouches for this'), 'test'), true);
  });

  test(`any changed bit of a signature of the kind "${kind}" is found`, async () => {
    const { signature, commentSignature, trustedComment, algorithm } = parsed(text);
    const message = algorithm === 'ED' ? createHash('blake2b512').update('test').digest() : Buffer.from('test');
    const { publicKey } = parseMinisignKey(key);
    for (const part of [signature, commentSignature]) {
      for (let bit = 0; bit < 512; bit += 1) {
        part[bit >> 3] = (part[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(
          await verifyMinisign(message, { keyid: '', signature, commentSignature, trustedComment }, publicKey),
          false,
        );
        part[bit >> 3] = (part[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      }
    }
  });
}

test('the older kind is not taken for the other one', async () => {
  const line = older.split('\n')[1] ?? '';
  const other = Buffer.from(line, 'base64');
  other.write('ED');
  const changed = older.replace(line, other.toString('base64'));
  assert.equal(parsed(changed).algorithm, 'ED');
  assert.equal(await holds(changed, 'test'), false);
});

test('what is not exactly a minisign file is named as such', () => {
  const lines = prehashed.split('\n');
  const broken: Record<string, string> = {
    empty: '',
    'three lines': lines.slice(0, 3).join('\n'),
    'five lines': `${prehashed}more\n`,
    'no trusted comment': prehashed.replace('trusted comment: timestamp', 'timestamp'),
    'another algorithm': prehashed.replace('\nRUQ', '\nRVQ'),
    'one character less': prehashed.replace('\nRUQf', '\nRUQ'),
    'base64 with a line end': prehashed.replace('BQ==', 'BR=='),
    'a space': prehashed.replace('\nRUQ', '\n RUQ'),
  };
  for (const [title, text] of Object.entries(broken)) assert.ok('problem' in parseMinisign(text), title);
  assert.equal(parsed(prehashed.replaceAll('\n', '\r\n')).algorithm, 'ED');
});

test('a key is its line or its whole file, and nothing weaker than ours is one', () => {
  const file = `untrusted comment: minisign public key E7620F1842B4E81F\n${key}\n`;
  assert.deepEqual(parseMinisignKey(file), parseMinisignKey(key));
  const identity = Buffer.concat([Buffer.from(key, 'base64').subarray(0, 10), Buffer.from([1]), Buffer.alloc(31)]);
  for (const text of [
    '',
    'x',
    key.slice(1),
    `${key}\n${key}\n${key}`,
    `RUQ${key.slice(3)}`,
    identity.toString('base64'),
  ]) {
    assert.throws(
      () => parseMinisignKey(text),
      (error) => MmmError.is(error, 'KEY_INVALID'),
      text,
    );
  }
});

test('a file too large to be held whole is refused for the older kind only', async (t) => {
  const file = join(tempFolder(t), 'large');
  writeFileSync(file, '');
  truncateSync(file, 33 * 1024 * 1024);
  await assert.rejects(minisignMessage(file, 'Ed'), (error) => MmmError.is(error, 'BUNDLE_INVALID'));
  assert.equal((await minisignMessage(file, 'ED')).length, 64);
});
