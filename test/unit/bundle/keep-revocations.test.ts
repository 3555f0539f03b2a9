import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepRevocations } from '../../../packages/bundle/src/keep-revocations.ts';
import {
  emptyTrust,
  parseTrust,
  type StoredKey,
  type StoredRevocations,
  serialiseTrust,
  type TrustState,
} from '../../../packages/bundle/src/trust-file.ts';

const at = '2027-01-01T00:00:00.000Z';

function key(keyid: string, revoked = false): StoredKey {
  const known = {
    keyid,
    publicKey: `raw ${keyid}`,
    name: keyid,
    role: 'publisher' as const,
    scopes: ['*'],
    addedAt: at,
  };
  return revoked ? { ...known, revoked: { at, reason: 'it leaked' } } : known;
}

function list(issuer: string, version: number): StoredRevocations {
  const facts = { signedBy: issuer, sha256: '0', issuedAt: at, expires: at, importedAt: at, bundles: [] };
  const keys = Array.from({ length: version }, (_, index) => ({ keyid: `k${index}`, reason: '', at }));
  return { issuer, version, ...facts, keys };
}

function restored(older: Partial<TrustState>, newer: Partial<TrustState> | undefined): TrustState {
  const bytes = (state: Partial<TrustState>) => Buffer.from(serialiseTrust({ ...emptyTrust, ...state }));
  return parseTrust(Buffer.from(keepRevocations(bytes(older), newer && bytes(newer))));
}

test('what is revoked now stays revoked, and what was trusted since is not', () => {
  const { keys, revision } = restored(
    { revision: 3, keys: [key('a'), key('b'), key('old', true)] },
    { revision: 9, keys: [key('a', true), key('b'), key('old', true), key('since'), key('since-revoked', true)] },
  );
  assert.deepEqual(
    keys.map(({ keyid, revoked }) => [keyid, revoked !== undefined]),
    [
      ['a', true],
      ['b', false],
      ['old', true],
      ['since-revoked', true],
    ],
  );
  assert.equal(revision, 10);
});

test('of the lists of one issuer the newest stays, whichever file it is in', () => {
  const { revocations } = restored(
    { revocations: [list('one', 2), list('two', 3)] },
    { revocations: [list('two', 1), list('one', 4), list('three', 1)] },
  );
  assert.deepEqual(
    revocations.map(({ issuer, version, keys }) => [issuer, version, keys.length]),
    [
      ['one', 4, 4],
      ['two', 3, 3],
      ['three', 1, 1],
    ],
  );
});

test('a key that handed over since stays retired, and its successor is known', () => {
  const rotation = { from: 'a', to: 'next', cutoverAt: at, statement: 'signed by both' };
  const { keys, rotations } = restored({ keys: [key('a')] }, { keys: [key('a'), key('next')], rotations: [rotation] });
  assert.deepEqual(rotations, [rotation]);
  assert.deepEqual(
    keys.map(({ keyid }) => keyid),
    ['a', 'next'],
  );
});

test('without a newer file it is as it was, and a damaged one throws', () => {
  assert.deepEqual(restored({ revision: 2, keys: [key('a')] }, undefined).keys, [key('a')]);
  assert.throws(() => keepRevocations(Buffer.from('{'), undefined));
});
