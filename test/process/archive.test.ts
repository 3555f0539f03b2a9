import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { packedPlugin, tree, unpack } from '../support/packed-plugin.ts';

test('of an archive of which any one bit was changed nothing comes out, or the very same files', async (t) => {
  const plugin = await packedPlugin(t);
  const bytes = readFileSync(plugin.archive);
  const whole = tree(plugin.plugin);
  const codes = new Map<string, number>();
  const change = async (bit: number): Promise<void> => {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const file = join(plugin.home, `changed-${bit & 7}.mmmp`);
    const store = join(plugin.home, `store-${bit & 7}`);
    writeFileSync(file, changed);
    const outcome = await unpack(plugin, file, store).catch((error: unknown) => error);
    if (outcome instanceof MmmError) codes.set(outcome.code, (codes.get(outcome.code) ?? 0) + 1);
    else assert.deepEqual(outcome, { files: whole, left: [] }, `bit ${bit}: ${String(outcome)}`);
    assert.deepEqual(existsSync(store) ? readdirSync(store) : [], [], `bit ${bit} leaves something behind`);
  };
  for (let byte = 0; byte < bytes.length; byte += 1) {
    await Promise.all(Array.from({ length: 8 }, (_, bit) => change(8 * byte + bit)));
  }
  // A signature file that lost its name is none.
  const expected = [
    'BUNDLE_CHANGED',
    'BUNDLE_INVALID',
    'SIGNATURE_MISSING',
    'SIGNATURE_REJECTED',
    'SIGNATURE_UNTRUSTED',
  ];
  assert.deepEqual(
    [...codes.keys()].filter((code) => !expected.includes(code)),
    [],
  );
  const refusals = [...codes.values()].reduce((sum, count) => sum + count, 0);
  assert.ok(refusals > 0.99 * 8 * bytes.length, `${refusals} of ${8 * bytes.length}`);
});
