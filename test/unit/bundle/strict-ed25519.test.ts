import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { test } from 'node:test';
import { checkPublicKey, verifyStrict } from '@mmm/bundle';
import nacl from 'tweetnacl';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));
const groupOrder = (1n << 252n) + 27742317777372353535851937790883648493n;
const fieldPrime = (1n << 255n) - 19n;

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse());
}

function number(encoded: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(encoded).reverse().toString('hex')}`);
}

const wycheproofKey = '7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa';
const wycheproofR = '7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab0';

/** Published cases: RFC 8032 §7.1, then Wycheproof's ed25519 by number. */
const published: readonly [title: string, valid: boolean, key: string, message: string, signature: string][] = [
  [
    'RFC 8032 test 1',
    true,
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
      '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    'RFC 8032 test 2',
    true,
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'RFC 8032 test 3',
    true,
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
      '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
  [
    'Wycheproof 3',
    true,
    wycheproofKey,
    '54657374',
    `${wycheproofR}7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d`,
  ],
  ['Wycheproof 10: R and S zero', false, wycheproofKey, '3f', '00'.repeat(64)],
  ['Wycheproof 29: R and S the prime', false, wycheproofKey, '3f', `ed${'ff'.repeat(30)}7f`.repeat(2)],
  ['Wycheproof 30: empty', false, wycheproofKey, '54657374', ''],
  ['Wycheproof 31: S missing', false, wycheproofKey, '54657374', wycheproofR],
  [
    'Wycheproof 63: S + L',
    false,
    wycheproofKey,
    '54657374',
    `${wycheproofR}67654bce3832c2d76f8f6f5dafc08d9339d4eef676573336a5c51eb6f946b31d`,
  ],
  [
    'Wycheproof 64: S + 2L',
    false,
    wycheproofKey,
    '54657374',
    `${wycheproofR}5439412b5395d42f462c67008eba6ca839d4eef676573336a5c51eb6f946b32d`,
  ],
  [
    'Wycheproof 65: S + 4L',
    false,
    wycheproofKey,
    '54657374',
    `${wycheproofR}2ee12ce5875bf9dff26556464bae2ad239d4eef676573336a5c51eb6f946b34d`,
  ],
  [
    'Wycheproof 66: S + 8L',
    false,
    wycheproofKey,
    '54657374',
    `${wycheproofR}e2300459f1e742404cd934d2c595a6253ad4eef676573336a5c51eb6f946b38d`,
  ],
  [
    'Wycheproof 67: S + 2^253',
    false,
    wycheproofKey,
    '54657374',
    `${wycheproofR}7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b32d`,
  ],
  [
    'Wycheproof 69: S + 2^255',
    false,
    wycheproofKey,
    '54657374',
    `${wycheproofR}7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d`,
  ],
  [
    'Wycheproof 85: S just above the bound',
    false,
    '100fdf47fb94f1536a4f7c3fda27383fa03375a8f527c537e6f1703c47f94f86',
    '6a0bc2b0057cedfc0fa2e3f7f7d39279b30f454a69dfd1117c758d86b19d85e0',
    '0971f86d2c9c78582524a103cb9cf949522ae528f8054dc20107d999be673ff4' +
      'e25ebf2f2928766b1248bec6e91697775f8446639ede46ad4df4053000000010',
  ],
  [
    'Wycheproof 150',
    true,
    'ccbe7cb2e4bc215cee2f885e1d22f7e0d582b2bbbd782c104e548b152d26fc69',
    '44530b0b34f598767a7b875b0caee3c7b9c502d1',
    'cfbd450a2c83cb8436c348822fe3ee347d4ee937b7f2ea11ed755cc52852407c' +
      '9eec2c1fa30d2f9aef90e89b2cc3bcef2b1b9ca59f712110d19894a9cf6a2802',
  ],
];

for (const [title, valid, key, message, signature] of published) {
  test(`${valid ? 'accepts' : 'refuses'} ${title}`, async () => {
    assert.equal(await verifyStrict(bytes(message), bytes(signature), bytes(key)), valid);
  });
}

test('refuses the malleated signatures that tweetnacl alone accepts', async () => {
  const { publicKey, secretKey } = nacl.sign.keyPair();
  const message = new Uint8Array([1, 2, 3]);
  const signature = nacl.sign.detached(message, secretKey);
  const malleated = Uint8Array.from(signature);
  malleated.set(littleEndian(number(signature.subarray(32)) + groupOrder), 32);
  assert.equal(nacl.sign.detached.verify(message, malleated, publicKey), true);
  assert.equal(await verifyStrict(message, malleated, publicKey), false);
  assert.equal(await verifyStrict(message, signature, publicKey), true);
});

test('refuses the identity as a key, with which one signature is good for every message', async () => {
  const identity = littleEndian(1n);
  const signature = bytes(`58${'66'.repeat(31)}01${'00'.repeat(31)}`);
  for (const text of ['any message', 'any other']) {
    assert.equal(nacl.sign.detached.verify(Uint8Array.from(Buffer.from(text)), signature, identity), true);
    assert.equal(await verifyStrict(Buffer.from(text), signature, identity), false);
  }
});

test('agrees with node:crypto in both directions on random keys and messages', async () => {
  for (let round = 0; round < 12; round += 1) {
    const message = randomBytes(round * 37);
    const seed = randomBytes(32);
    const pkcs8 = Buffer.concat([bytes('302e020100300506032b657004220420'), seed]);
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const pair = nacl.sign.keyPair.fromSeed(Uint8Array.from(seed));
    const ours = nacl.sign.detached(Uint8Array.from(message), pair.secretKey);
    const theirs = sign(null, message, privateKey);
    assert.deepEqual(Buffer.from(ours), theirs);
    assert.equal(verify(null, message, createPublicKey(privateKey), ours), true);
    assert.equal(await verifyStrict(message, theirs, pair.publicKey), true);
    const at = round % 64;
    theirs[at] = (theirs[at] ?? 0) ^ 1;
    assert.equal(await verifyStrict(message, theirs, pair.publicKey), false);
  }
});

test('answers false to whatever is not a message, a signature and a key, and never throws', async () => {
  const { publicKey, secretKey } = nacl.sign.keyPair();
  const message = new Uint8Array(3);
  const good = nacl.sign.detached(message, secretKey);
  for (const signature of [good.subarray(1), new Uint8Array([...good, 0]), 'text', null, undefined, {}, [...good]]) {
    assert.equal(await verifyStrict(message, signature, publicKey), false);
  }
  for (const key of [publicKey.subarray(1), new Uint8Array([...publicKey, 0]), '', null, 7]) {
    assert.equal(await verifyStrict(message, good, key), false);
  }
  for (const bad of ['text', null, undefined, 5n]) assert.equal(await verifyStrict(bad, good, publicKey), false);
});

test('refuses an R of small order and an R that is not canonical', async () => {
  const { publicKey, secretKey } = nacl.sign.keyPair();
  const signature = nacl.sign.detached(new Uint8Array(3), secretKey);
  for (const y of [0n, 1n, fieldPrime - 1n, fieldPrime, fieldPrime + 2n]) {
    const changed = Uint8Array.from(signature);
    changed.set(littleEndian(y));
    assert.equal(await verifyStrict(new Uint8Array(3), changed, publicKey), false);
  }
});

test('names the length, the spelling or the order that is wrong', () => {
  assert.match(checkPublicKey(new Uint8Array(31)) ?? '', /31 bytes/);
  assert.match(checkPublicKey('key') ?? '', /not bytes/);
  assert.match(checkPublicKey(littleEndian(fieldPrime + 3n)) ?? '', /not canonically encoded/);
  assert.match(checkPublicKey(littleEndian((1n << 255n) - 1n)) ?? '', /not canonically encoded/);
});

test('refuses all eight points of small order, with either sign', () => {
  const orderEight = number(bytes('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'));
  for (const y of [0n, 1n, fieldPrime - 1n, orderEight, fieldPrime - orderEight]) {
    for (const signOfX of [0n, 1n << 255n]) {
      assert.match(checkPublicKey(littleEndian(y | signOfX)) ?? '', /small order/);
    }
  }
});

test('takes honest keys', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  assert.equal(
    checkPublicKey(Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(12))),
    undefined,
  );
});

test('accepts nothing at the edges, with whatever message, and never what node:crypto refuses', async () => {
  const { publicKey: honest, secretKey } = nacl.sign.keyPair();
  const message = Uint8Array.from(Buffer.from('a message'));
  const signature = nacl.sign.detached(message, secretKey);
  const orderEight = number(bytes('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'));
  const edges = [0n, 1n, 2n, orderEight, fieldPrime - orderEight, fieldPrime - 2n, fieldPrime - 1n];
  const spellings = [...edges, fieldPrime, fieldPrime + 1n, (1n << 255n) - 1n].flatMap((y) => [y, y | (1n << 255n)]);
  const points = [honest, signature.subarray(0, 32), ...spellings.map(littleEndian)];
  const ownS = number(signature.subarray(32));
  const scalars = [0n, 1n, groupOrder - 1n, groupOrder, groupOrder + 1n, ownS, ownS + groupOrder, (1n << 256n) - 1n];
  const accepted: string[] = [];
  for (const key of points) {
    for (const r of points) {
      for (const s of scalars) {
        const forged = new Uint8Array([...r, ...littleEndian(s)]);
        const ours = await verifyStrict(message, forged, key);
        if (!ours) continue;
        assert.ok(acceptedByNode(message, forged, key), 'node:crypto agrees');
        accepted.push(`${points.indexOf(key)} ${points.indexOf(r)} ${scalars.indexOf(s)}`);
      }
    }
  }
  assert.deepEqual(accepted, ['0 1 5'], 'the honest signature alone');
});

test('node:crypto alone takes forgeries of small order: what is ours refuses them', async () => {
  const identity = littleEndian(1n);
  const forged = new Uint8Array([...identity, ...littleEndian(0n)]);
  assert.equal(acceptedByNode(new Uint8Array(5), forged, identity), true);
  assert.equal(await verifyStrict(new Uint8Array(5), forged, identity), false);
});

function acceptedByNode(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const spki = Buffer.concat([bytes('302a300506032b6570032100'), publicKey]);
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}
