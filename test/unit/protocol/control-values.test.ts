import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromControlError, fromControlValue, MmmError, toControlError, toControlValue } from '@mmm/protocol';

/** As it would come out of a connection. */
function carried(value: unknown): unknown {
  return fromControlValue(JSON.parse(JSON.stringify(toControlValue(value)) ?? 'null'));
}

test('values that JSON has come through as they are', () => {
  for (const value of [null, true, 0, -1.5, '', 'ü', [], {}, [1, [2, { three: [null] }]], { $: 1, a: { $b: 2 } }]) {
    assert.deepEqual(carried(value), value);
  }
});

test('what JSON does not have comes through too: dates, numbers that are not finite, errors', () => {
  const moment = new Date('2026-11-21T12:00:00.000Z');
  assert.deepEqual(carried({ at: moment }), { at: moment });
  assert.deepEqual(carried([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]), [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
  const error = new MmmError('BUSY', 'It is busy.', { plugin: 'p', queued: 1, queuedMax: Number.POSITIVE_INFINITY });
  const same = carried({ error }) as { error: MmmError };
  assert.ok(same.error instanceof MmmError);
  assert.deepEqual([same.error.code, same.error.message, same.error.data], [error.code, error.message, error.data]);
});

test('data that looks like a spelling of ours stays what it is', () => {
  for (const value of [{ $date: 'no date' }, { $number: '1' }, { $error: {} }, { $$date: 1 }, { $date: 1, b: 2 }]) {
    assert.deepEqual(carried(value), value);
  }
});

test('functions and undefined are left out, as JSON leaves them out, and a list keeps its length', () => {
  assert.deepEqual(carried({ a: undefined, b: () => 1, c: Symbol('s') }), {});
  assert.deepEqual(carried([undefined, 1]), [null, 1]);
  assert.equal(toControlValue(undefined), undefined);
});

test('an error that is none of ours becomes INTERNAL, with where it happened in its detail', () => {
  const spelt = toControlError(new TypeError('x is not a function'));
  assert.equal(spelt.code, 'INTERNAL');
  const error = fromControlError(spelt);
  assert.ok(MmmError.is(error, 'INTERNAL'));
  assert.match(error.data.detail, /TypeError: x is not a function\n {4}at /);
});
