import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { parseCall } from '../../../../packages/cli/src/dev/first-call.ts';

test('a call is a name and JSON, or a name alone', () => {
  assert.deepEqual(parseCall('greet {"name": "Ada"}'), {
    capability: 'greet',
    input: { name: 'Ada' },
    text: 'greet {"name": "Ada"}',
  });
  assert.deepEqual(parseCall('  tool:greet  '), { capability: 'tool:greet', input: {}, text: 'tool:greet' });
  assert.equal(parseCall('sum 7').input, 7);
  assert.deepEqual(parseCall('sum [1,\n 2]').input, [1, 2]);
});

for (const text of ['', '   ', '{"name":"Ada"}', '[1]', 'greet {name}', 'greet {"name":']) {
  test(`${JSON.stringify(text)} is no call, and an example shows what is one`, () => {
    assert.throws(
      () => parseCall(text),
      (error) => MmmError.is(error, 'USAGE') && /--call 'greet \{"name":"Ada"\}'/.test(error.message),
    );
  });
}
