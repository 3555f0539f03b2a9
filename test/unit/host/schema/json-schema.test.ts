import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSchema } from '../../../../packages/host/src/schema/json-schema.ts';

/** The wrong fields of a value as `path message`. */
async function check(schema: unknown, value: unknown): Promise<string[]> {
  const compiled = await compileSchema(schema, 'input');
  return compiled(value).map(({ path, message }) => `${path} ${message}`);
}
/** A guard against hanging, not a measurement: without the defences these take hours. */
const patient = { timeout: 60_000 };

test('A pattern that explodes elsewhere matches in linear time', patient, async () => {
  assert.deepEqual(await check({ pattern: '^(a+)+$' }, `${'a'.repeat(100_000)}!`), [
    'input must match pattern "^(a+)+$"',
  ]);
  assert.deepEqual(await check({ pattern: '^(a+)+$' }, 'a'.repeat(1_000)), []);
  const names = { patternProperties: { '^(b+)+$': { type: 'number' } }, additionalProperties: false };
  assert.equal((await check(names, { [`${'b'.repeat(50_000)}!`]: 1 })).length, 1);
});

test('Two patterns of one schema are not confused', async () => {
  const schema = { properties: { a: { pattern: '^a$' }, b: { pattern: '^b$' } } };
  assert.deepEqual(await check(schema, { a: 'a', b: 'b' }), []);
  assert.deepEqual(await check(schema, { a: 'a', b: 'a' }), ['input.b must match pattern "^b$"']);
});

test('A pattern is searched for, not anchored, and classes work as in JavaScript', async () => {
  assert.deepEqual(await check({ pattern: '\\d{2}' }, 'ab12cd'), []);
  assert.deepEqual(await check({ pattern: '^\\u0041\\/(?<year>\\d{4})$' }, 'A/2026'), []);
});

test('References that double at every level are stopped', patient, async () => {
  const $defs: Record<string, unknown> = { d64: { type: 'object' } };
  for (let level = 0; level < 64; level++) {
    $defs[`d${level}`] = { allOf: [{ $ref: `#/$defs/d${level + 1}` }, { $ref: `#/$defs/d${level + 1}` }] };
  }
  assert.deepEqual(await check({ $ref: '#/$defs/d0', $defs }, {}), ['input takes too long to check']);
  const tree = {
    $defs: { t: { allOf: [{ items: { $ref: '#/$defs/t' } }, { items: { $ref: '#/$defs/t' } }] } },
    $ref: '#/$defs/t',
  };
  let nested: unknown = [];
  for (let level = 0; level < 100; level++) nested = [nested];
  assert.deepEqual(await check(tree, nested), ['input takes too long to check']);
});

test('Loops over a large value are stopped when the schema asks for too many', patient, async () => {
  const value = Array.from({ length: 100_000 }, (_, index) => index);
  const greedy = { allOf: Array.from({ length: 500 }, () => ({ items: { type: 'number' } })) };
  assert.deepEqual(await check(greedy, value), ['input takes too long to check']);
  assert.deepEqual(await check({ items: { type: 'number' } }, value), []);
});

test('uniqueItems takes linear time and compares as JSON does', patient, async () => {
  const unique = { uniqueItems: true };
  const many = Array.from({ length: 50_000 }, (_, index) => ({ index, text: 'x' }));
  assert.deepEqual(await check(unique, many), []);
  assert.deepEqual(await check(unique, [...many, { text: 'x', index: 3 }]), ['input must not repeat an item']);
  assert.deepEqual(await check(unique, [1, '1', [1], ['1'], '[1]', true, 'true', null, {}, '{}']), []);
  assert.equal((await check(unique, [[{ a: 1, b: 2 }], [{ b: 2, a: 1 }]])).length, 1);
  assert.deepEqual(await check({ uniqueItems: false }, [1, 1]), []);
});

test('A format is checked, and not on a text that is too long for one', patient, async () => {
  assert.deepEqual(await check({ format: 'email' }, 'a@example.com'), []);
  assert.deepEqual(await check({ format: 'email' }, 'nobody'), ['input must match format "email"']);
  assert.equal((await check({ format: 'url' }, `http://${':a'.repeat(100_000)}`)).length, 1);
  assert.equal((await check({ format: 'date' }, '2026-02-30')).length, 1);
  assert.deepEqual(await check({ format: 'secret' }, 'hunter2'), []);
  assert.deepEqual(await check({ format: 'something-else' }, 'x'), []);
});

test('A value nested too deeply for a recursive schema is refused', async () => {
  let deep: unknown = [];
  for (let level = 0; level < 50_000; level++) deep = [deep];
  assert.deepEqual(await check({ items: { $ref: '#' } }, deep), ['input is nested too deeply']);
});

test('Schemas of two plugins with one $id do not meet', async () => {
  const $id = 'https://example.com/shared';
  assert.deepEqual(await check({ $id, type: 'string' }, 'x'), []);
  assert.deepEqual(await check({ $id, type: 'number' }, 1), []);
  const inner = { $id, $defs: { n: { $anchor: 'n', type: 'number' } }, properties: { n: { $ref: '#n' } } };
  assert.deepEqual(await check(inner, { n: 'x' }), ['input.n must be number']);
});

test('Schemas of older drafts, unknown keywords and booleans are taken', async () => {
  const draft7 = 'http://json-schema.org/draft-07/schema#';
  assert.deepEqual(
    await check({ $schema: draft7, definitions: { a: { type: 'string' } }, $ref: '#/definitions/a' }, 1),
    ['input must be string'],
  );
  assert.deepEqual(await check({ 'x-ui': { widget: 'slider' }, type: 'number' }, 1), []);
  assert.deepEqual(await check(true, 1), []);
  assert.deepEqual(await check(false, 1), ['input is not allowed']);
});

test('What the 2020-12 draft added works', async () => {
  const schema = { prefixItems: [{ type: 'string' }], items: false, unevaluatedProperties: false };
  assert.deepEqual(await check(schema, ['a']), []);
  assert.equal((await check(schema, ['a', 'b'])).length, 1);
  const closed = { allOf: [{ properties: { a: true } }], properties: { b: true }, unevaluatedProperties: false };
  assert.deepEqual(await check(closed, { a: 1, b: 2 }), []);
  assert.deepEqual(await check(closed, { a: 1, c: 2 }), ['input.c is not a known field']);
});

test('A property named like a part of every object is a property', async () => {
  const value: unknown = JSON.parse('{"__proto__": 1}');
  assert.deepEqual(await check({ properties: { a: true }, additionalProperties: false }, value), [
    'input.__proto__ is not a known field',
  ]);
  assert.deepEqual(await check({ required: ['constructor'] }, {}), ['input.constructor is required']);
});
