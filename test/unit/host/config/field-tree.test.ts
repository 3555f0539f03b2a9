import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldTree, isSecretAt, nodeAt } from '../../../../packages/host/src/config/field-tree.ts';

const secret = { type: 'string', format: 'secret' };
const isSecret = (schema: object, ...path: string[]): boolean => isSecretAt(fieldTree(schema), path);

test('a secret is found wherever a schema may hide one', () => {
  const at = { properties: { open: {}, a: { properties: { b: secret, c: {} } } } };
  assert.deepEqual(
    [isSecret(at, 'a', 'b'), isSecret(at, 'a', 'c'), isSecret(at, 'a'), isSecret(at, 'open')],
    [true, false, true, false],
  );
  const places: readonly [string, object][] = [
    ['a reference', { $defs: { key: secret }, properties: { a: { $ref: '#/$defs/key' } } }],
    ['a reference with escapes', { $defs: { 'a/b': secret }, properties: { a: { $ref: '#/$defs/a~1b' } } }],
    ['an alternative', { properties: { a: { anyOf: [{ type: 'null' }, secret] } } }],
    ['a condition', JSON.parse('{"if": {}, "then": {"properties": {"a": {"format": "secret"}}}}')],
    ['what is added', { allOf: [{ properties: { a: secret } }] }],
    ['what depends', { dependentSchemas: { b: { properties: { a: secret } } } }],
    ['a list', { properties: { a: { type: 'array', items: secret } } }],
    ['a list of tables', { properties: { a: { items: { properties: { token: secret } } } } }],
    ['names nobody knows', { additionalProperties: secret }],
    ['names of a pattern', { patternProperties: { '^a': { properties: { b: secret } } } }],
    ['an anchor', { $defs: { key: { ...secret, $anchor: 'key' } }, properties: { a: { $ref: '#key' } } }],
  ];
  for (const [place, schema] of places) assert.equal(isSecret(schema, 'a'), true, place);
});

test('a schema that refers to itself ends, with more secret rather than less', () => {
  const tree = {
    $defs: { node: { properties: { key: secret, next: { $ref: '#/$defs/node' } } } },
    $ref: '#/$defs/node',
  };
  assert.equal(isSecret(tree, 'key'), true);
  assert.equal(isSecret(tree, 'next', 'next', 'anything'), true);
  assert.equal(isSecret({ properties: { next: { $ref: '#' } } }, 'next', 'next'), false);
});

test('references that multiply are given up', () => {
  const $defs = Object.fromEntries(
    Array.from({ length: 30 }, (_, level) => [
      `d${level}`,
      { allOf: [{ $ref: `#/$defs/d${level + 1}` }, { $ref: `#/$defs/d${level + 1}` }] },
    ]),
  );
  assert.throws(() => fieldTree({ $defs: { ...$defs, d30: {} }, $ref: '#/$defs/d0' }), /multiply without end/);
});

test('types, defaults and demands come from what holds in any case', () => {
  const root = fieldTree({
    required: ['a'],
    properties: { a: { type: ['string', 'null'], default: null, title: 'T' }, b: { enum: [1, 2] } },
    anyOf: [{ required: ['b'], properties: { b: { default: 3 } } }],
  });
  const a = nodeAt(root, ['a']);
  assert.deepEqual([a?.types, a?.default, a?.description], [['string', 'null'], { value: null }, 'T']);
  assert.deepEqual([...root.required], ['a']);
  assert.deepEqual([nodeAt(root, ['b'])?.default, nodeAt(root, ['b'])?.choices], [undefined, [1, 2]]);
});
