import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { Ledger } from '../../../chaos/ledger.ts';

test('a call that is answered as it was asked is no complaint', () => {
  const ledger = new Ledger();
  ledger.made('a', 't1').answered({ plugin: 'a', tag: 't1' });
  assert.deepEqual(ledger.totals, { made: 1, settled: 1, answered: 1, broken: 0 });
  assert.deepEqual(ledger.open, []);
});

test('an answer by another plugin or to another call is a broken promise', () => {
  const ledger = new Ledger();
  for (const output of [{ plugin: 'b', tag: 't' }, { plugin: 'a', tag: 'other' }, null, 'text']) {
    ledger.made('a', 't').answered(output);
  }
  assert.equal(ledger.totals.broken, 4);
  assert.match(ledger.complaints[0] ?? '', /call t of a got the answer/);
});

test('a call that settles twice or never is noticed', () => {
  const ledger = new Ledger();
  const twice = ledger.made('a', 't1');
  twice.answered({ plugin: 'a', tag: 't1' });
  twice.answered({ plugin: 'a', tag: 't1' });
  ledger.made('a', 't2');
  assert.match(ledger.complaints[0] ?? '', /settled twice/);
  assert.deepEqual(ledger.open, ['t2']);
});

test('an error is honest when it says of the called plugin why it did not answer', () => {
  const ledger = new Ledger();
  const reason = { kind: 'signal', signal: 'SIGSEGV', stderrTail: '' } as const;
  ledger.made('a', 't1').failed(new MmmError('PLUGIN_EXITED', 'a died', { plugin: 'a', reason }));
  assert.equal(ledger.totals.broken, 0);
  assert.deepEqual(ledger.outcomes, [['PLUGIN_EXITED, SIGSEGV', 1]]);
  ledger.made('a', 't2').failed(new MmmError('PLUGIN_EXITED', 'b died', { plugin: 'b', reason }));
  ledger.made('a', 't3').failed(new MmmError('INTERNAL', 'mmm failed', { detail: 'x' }));
  ledger.made('a', 't4').failed(new Error('who knows'));
  assert.equal(ledger.totals.broken, 3);
});
