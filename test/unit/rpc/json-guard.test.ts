import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wireLimits } from '@mmm/protocol';
import { findId, removePrototypeKeys, tooComplex } from '../../../packages/rpc/src/json-guard.ts';

const many = 1_000_000;

test('depth is counted outside strings only, and the limit itself is allowed', () => {
  const check = (text: string, expected: string | undefined): void => {
    assert.equal(tooComplex(Buffer.from(text), 128, many), expected, text.slice(0, 40));
  };
  check(`${'['.repeat(128)}${']'.repeat(128)}`, undefined);
  check(`${'['.repeat(129)}${']'.repeat(129)}`, 'depth');
  check(`${'{"a":'.repeat(129)}1${'}'.repeat(129)}`, 'depth');
  check(`["${'['.repeat(5000)}"]`, undefined);
  check(`["${'\\"['.repeat(5000)}"]`, undefined);
  check(`["${'\\\\'.repeat(5000)}",${'['.repeat(200)}`, 'depth');
  check(`["\\"${'[{'.repeat(5000)}\\\\"]`, undefined);
  check(`[${'[],'.repeat(1000)}[]]`, undefined);
});

test('structure is weighed for large messages, and one large string weighs nothing', () => {
  const check = (text: string, expected: string | undefined): void => {
    assert.equal(tooComplex(Buffer.from(text), 128, 1000), expected, text.slice(0, 40));
  };
  check(`["${'a,{"'.replaceAll('"', '\\"').repeat(300_000)}"]`, undefined);
  check(`[${'{},'.repeat(300_000)}{}]`, 'structure');
  check(`[${'1,'.repeat(300_000)}1]`, 'structure');
  check(`{${Array.from({ length: 60_000 }, (_, index) => `"key${index}":1`).join()}}`, 'structure');
});

test('eight megabytes of ordinary rows are within the limit, and keys that are all new are not', () => {
  const check = (count: number, element: (index: number) => string, expected: string | undefined): void => {
    const text = `[${Array.from({ length: count }, (_, index) => element(index)).join()}]`;
    assert.equal(tooComplex(Buffer.from(text), 128, wireLimits.structure), expected, text.slice(0, 60));
  };
  check(100_000, (index) => `{"id":${index},"name":"n${index}","tags":["a","b"],"at":{"x":1,"y":2}}`, undefined);
  check(190_000, (index) => `{"first":${index},"second":2,"third":3}`, undefined);
  check(200_000, (index) => `{"key${index}":1}`, 'structure');
  // The same few keys, in orders that make a shape of their own each time.
  check(60_000, (index) => `{${[...index.toString(2)].map((bit, at) => `"${at}${bit}":1`).join()}}`, 'structure');
});

test('keys that could change a prototype are removed at every depth, however they are spelt', () => {
  const clean = (text: string): unknown => {
    const value: unknown = JSON.parse(text);
    removePrototypeKeys(value, text);
    return value;
  };
  const own = (value: unknown): string => JSON.stringify(value);
  assert.equal(own(clean('{"a":[{"__proto__":{"x":1},"b":2}]}')), '{"a":[{"b":2}]}');
  assert.equal(own(clean('{"\\u005f_proto__":{"x":1},"b":2}')), '{"b":2}');
  assert.equal(own(clean('{"constructor":{"prototype":{"x":1}},"b":2}')), '{"b":2}');
  assert.equal(own(clean('{"c\\u006fnstructor":{"prototype":{"x":1}},"b":2}')), '{"b":2}');
  // A racing team is data.
  assert.equal(own(clean('{"constructor":"ferrari","prototype":1}')), '{"constructor":"ferrari","prototype":1}');
  assert.equal(({} as { x?: number }).x, undefined);
});

test('the id is found in the beginning of a message, wherever it is cut', () => {
  const check = (text: string, id: string | number | undefined, kind: string): void => {
    assert.deepEqual(findId(Buffer.from(text)), { id, kind }, text);
  };
  check('{"jsonrpc":"2.0","id":7,"method":"m","params":{"id":9,"x":"aaaa', 7, 'request');
  check('{"jsonrpc":"2.0","method":"m","id":"se\\"ven","params":{"x":"aaaa', 'se"ven', 'request');
  check('{"jsonrpc": "2.0", "id": 7, "result": {"id": 8, "x": "aaaa', 7, 'response');
  check('{"id":7,"error":{"code":1', 7, 'response');
  check('{"jsonrpc":"2.0","result":{"id":7', undefined, 'response');
  check('{"jsonrpc":"2.0","id":7', undefined, 'unknown');
  check('{"jsonrpc":"2.0","id":7,', 7, 'unknown');
  check('{"id":1.5,"method":"m"', undefined, 'request');
  check('{"id":null,"method":"m"', undefined, 'request');
  check('{"id":"not clos', undefined, 'unknown');
  check('[[[[[[{"id":1,"method":2', undefined, 'unknown');
  check('', undefined, 'unknown');
});
