import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatKey,
  overlay,
  parseKey,
  valueAt,
  withoutValue,
  withValue,
} from '../../../../packages/host/src/config/document.ts';

test('keys are names joined by dots, and a dot of a name is escaped', () => {
  assert.deepEqual(parseKey('server.port'), ['server', 'port']);
  assert.deepEqual(parseKey('a\\.b.c\\\\'), ['a.b', 'c\\']);
  for (const path of [['a'], ['a.b', 'c'], ['x\\', '.y']]) assert.deepEqual(parseKey(formatKey(path)), path);
  for (const key of ['', '.', 'a.', '.a', 'a..b', '__proto__', 'a.__proto__.b']) assert.equal(parseKey(key), undefined);
});

test('putting and taking fields leaves the table as it was and no empty tables behind', () => {
  const table = Object.freeze({ a: Object.freeze({ b: 1 }), c: 'x' });
  assert.deepEqual(withValue(table, ['a', 'd', 'e'], 2), { a: { b: 1, d: { e: 2 } }, c: 'x' });
  assert.deepEqual(withValue(table, ['c', 'd'], 2), { a: { b: 1 }, c: { d: 2 } });
  assert.deepEqual(withoutValue(table, ['a', 'b']), { c: 'x' });
  assert.deepEqual(withoutValue(table, ['a', 'z']), table);
  assert.equal(valueAt(table, ['a', 'b']), 1);
  assert.equal(valueAt(table, ['constructor']), undefined);
  assert.equal(valueAt(table, ['c', 'length']), undefined);
});

test('tables are merged, anything else is replaced, and no name reaches the prototype', () => {
  assert.deepEqual(overlay({ a: { b: 1, c: [1] } }, { a: { c: [2] }, d: null }), { a: { b: 1, c: [2] }, d: null });
  const merged = overlay({}, JSON.parse('{"__proto__": {"polluted": true}}'));
  assert.equal((merged as { polluted?: boolean }).polluted, undefined);
});
