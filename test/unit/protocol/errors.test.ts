import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, errorHelp, exitCodes, MmmError } from '@mmm/protocol';

test('exit codes are a contract', () => {
  assert.deepEqual(exitCodes, {
    ok: 0,
    failed: 1,
    usage: 2,
    consent: 3,
    trust: 4,
    notFound: 5,
    network: 6,
    findings: 7,
    crashed: 8,
    cancelled: 130,
  });
});

test('an error is told from others by its code, and its data are typed by it', () => {
  const error: unknown = new MmmError('PLUGIN_DISABLED', 'The plugin "date" is disabled.', { plugin: 'date' });
  assert.ok(MmmError.is(error, 'PLUGIN_DISABLED') && error.data.plugin === 'date');
  assert.equal(MmmError.is(error, 'USAGE'), false);
  assert.equal(MmmError.is(new Error('x'), 'PLUGIN_DISABLED'), false);
});

for (const code of Object.keys(errorHelp) as ErrorCode[]) {
  test(`${code} has a number, a title, a reason and something to do`, () => {
    const { number, exitCode, title, why, fix } = errorHelp[code];
    assert.match(number, /^E\d{4}$/);
    assert.ok(exitCode !== 0 && (Object.values(exitCodes) as number[]).includes(exitCode));
    assert.match(title, /^[A-Zm].*[^.]$/);
    for (const sentence of [why, fix]) assert.match(sentence, /^[A-Z`].*[.…]$/);
  });
}
