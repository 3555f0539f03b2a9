import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginMethods } from '@mmm/protocol';

const { params, result, quick } = pluginMethods.execute;
const capability = { kind: 'tool', name: 'run' };
const caller = { kind: 'cli', id: 'mmm' };
const timestamp = '2026-01-31T23:59:59.999Z';
const context = { caller, timestamp, deadline_ms: 0 };
const plain = { capability, input: {}, context };

/** Each field of the plain params replaced by each of these, which is far more than can be written down. */
const oddities: readonly unknown[] = [
  undefined,
  null,
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '',
  'tool',
  'x'.repeat(128),
  'x'.repeat(129),
  '2026-02-30T00:00:00.000Z',
  '2026-01-01T00:00:00Z',
  true,
  [],
  [1],
  {},
  { kind: 'tool', name: 'run', more: 1 },
  { kind: 'nobody', id: 'x' },
  { ...context, trigger: 7 },
  { ...context, more: { x: 1 } },
];

function* variants(value: Readonly<Record<string, unknown>>): Generator<Record<string, unknown>> {
  for (const key of [...Object.keys(value), 'progress_token', 'output', 'more']) {
    const { [key]: _left, ...without } = value;
    yield without;
    for (const odd of oddities) yield { ...value, [key]: odd };
    const inner = value[key];
    if (typeof inner === 'object' && inner !== null) {
      for (const changed of variants(inner as Record<string, unknown>)) yield { ...value, [key]: changed };
    }
  }
}

test('the quick checks of execute say yes only to what the schemas accept and leave as it is', () => {
  assert.ok(quick);
  let yes = 0;
  for (const value of [plain, ...variants(plain), ...oddities]) {
    if (!quick.params(value)) continue;
    yes++;
    assert.deepEqual(params.parse(value), value);
  }
  for (const value of [...variants({ output: 1 }), ...oddities]) {
    if (!quick.result(value)) continue;
    yes++;
    assert.deepEqual(result.parse(value), value);
  }
  assert.ok(yes > 50, `${yes}`);
});

test('the quick checks of execute say yes to what a host sends and a plugin answers', () => {
  assert.equal(quick?.params(plain), true);
  assert.equal(quick?.params({ ...plain, progress_token: 'p0' }), true);
  assert.equal(quick?.result({ output: null }), true);
});
