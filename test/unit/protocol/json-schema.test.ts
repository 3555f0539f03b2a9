import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ajv2020 } from 'ajv/dist/2020.js';

/** The schemas as an author in another language uses them: by a validator that knows nothing of zod. */
const { Ajv2020: Validator } = createRequire(import.meta.url)('ajv/dist/2020.js') as { Ajv2020: typeof Ajv2020 };
const addFormats = createRequire(import.meta.url)('ajv-formats') as (ajv: Ajv2020) => void;
const ajv = new Validator({ strict: true, allowUnionTypes: true });
addFormats(ajv);
for (const name of ['manifest', 'methods', 'kinds']) {
  const file = join(import.meta.dirname, `../../../packages/protocol/schema/${name}.json`);
  ajv.addSchema(JSON.parse(readFileSync(file, 'utf8')), name);
}

function accepts(schema: string, value: unknown): boolean {
  const validate = ajv.getSchema(schema);
  assert.ok(validate !== undefined, `there is no schema ${schema}`);
  return validate(value) === true;
}

test('the JSON Schema of the manifest takes what the host takes', () => {
  const plugin = { name: 'a', version: '1.0.0', description: 'b', license: 'MIT', command: ['a'] };
  assert.ok(accepts('manifest', { schema: 1, plugin }));
  assert.equal(accepts('manifest', { schema: 1, plugin: { ...plugin, name: 'A' } }), false);
  assert.equal(accepts('manifest', { schema: 1, plugin, other: 1 }), false);
});

test('the JSON Schema of the methods takes the smallest answers and refuses others', () => {
  assert.ok(accepts('methods#/$defs/initialize_result', {}));
  assert.ok(accepts('methods#/$defs/log_params', { message: 'hi' }));
  assert.ok(accepts('methods#/$defs/configure_result', null));
  assert.equal(accepts('methods#/$defs/execute_result', {}), false);
  assert.equal(accepts('methods#/$defs/cancel_params', { id: 1.5 }), false);
});

test('the JSON Schema of the kinds takes what execute takes', () => {
  assert.ok(accepts('kinds#/$defs/command_input', {}));
  assert.equal(accepts('kinds#/$defs/command_output', { exit_code: 'a' }), false);
});
