import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { prefixCode } from '../../../../packages/bundle/src/archive/prefix-code.ts';
import { deflated } from '../../../support/packed-plugin.ts';

/** Bytes that look random and are the same in each run. */
function noise(length: number, seed: number, different = 256): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = (state >>> 16) % different;
  }
  return bytes;
}

const words = Buffer.from(
  Array.from({ length: 30_000 }, (_, at) => `line ${at % 97} of ${at % 13}: ${'abc'.repeat(at % 7)}\n`).join(''),
);

const inputs: readonly [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['one byte', Buffer.from('a')],
  ['three bytes', Buffer.from('aaa')],
  ['one byte less than a segment', noise(65_534, 1, 5)],
  ['a whole segment', noise(65_535, 2, 5)],
  ['one byte more than a segment', noise(65_536, 3, 5)],
  ['a million zeros', Buffer.alloc(1_000_000)],
  ['noise', noise(200_000, 4)],
  ['text', words],
  ['text, then noise, then text', Buffer.concat([words, noise(100_000, 5), words])],
  ['a match as far away as the window reaches', Buffer.concat([words.subarray(0, 300), noise(32_468, 6), words])],
];

for (const [title, input] of inputs) {
  test(`what was deflated inflates to the same bytes: ${title}`, () => {
    assert.ok(inflateRawSync(deflated(input)).equals(input));
  });
}

test('inputs of every small length and many alphabets inflate to the same bytes', () => {
  for (let length = 0; length < 300; length += 1) {
    const input = noise(length, length, 1 + ((length * 7) % 256));
    assert.ok(inflateRawSync(deflated(input)).equals(input), String(length));
  }
});

test('text shrinks, noise hardly grows, and nothing shrinks so much that it looks like a bomb', () => {
  assert.ok(deflated(words).length < words.length / 6);
  assert.ok(deflated(noise(1_000_000, 7)).length < 1_000_000 + 200);
  const zeros = 2_000_000 / deflated(Buffer.alloc(2_000_000)).length;
  assert.ok(zeros > 100 && zeros < 200, String(zeros));
});

test('the bytes are these and no others, on whatever machine', () => {
  const digest = createHash('sha256')
    .update(deflated(words))
    .update(deflated(noise(150_000, 8, 40)))
    .digest('hex');
  assert.equal(digest, 'a9f52e5178ed7b75e7f023f23da230f495050c994cb530c4be0eaa4848e94ceb');
});

test('a prefix code is complete, within its limit, and gives short words to frequent symbols', () => {
  // Fibonacci's numbers make the deepest tree there is.
  const counts = new Uint32Array(30);
  let [one, two] = [1, 1];
  for (const symbol of counts.keys()) [counts[symbol], one, two] = [one, two, one + two];
  for (const limit of [5, 7, 15]) {
    const { lengths, bits } = prefixCode(counts, limit);
    assert.ok(Math.max(...lengths) <= limit && Math.min(...lengths) > 0);
    assert.equal(
      [...lengths].reduce((sum, length) => sum + 2 ** -length, 0),
      1,
    );
    for (let symbol = 1; symbol < 30; symbol += 1) assert.ok((lengths[symbol] ?? 0) <= (lengths[symbol - 1] ?? 0));
    assert.equal(new Set([...bits].map((code, symbol) => `${lengths[symbol]} ${code}`)).size, 30);
  }
});
