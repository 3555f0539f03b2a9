import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CapabilitySection, type FieldIssue, type ManifestInput, MmmError } from '@mmm/protocol';
import { type BundleSchemas, SchemaValidator } from '../../../../packages/host/src/call/schema.ts';
import { suggest } from '../../../../packages/host/src/source/suggest.ts';
import { manifestOf } from '../../../support/fake-session.ts';

type CapabilityInput = NonNullable<ManifestInput['capabilities']>[number];
const noFiles: BundleSchemas = {
  key: 'bundle',
  readFile: (path) => {
    throw new Error(`no file ${path}`);
  },
};
function capabilityOf(input: CapabilityInput): CapabilitySection {
  const [capability] = manifestOf([input]).capabilities;
  assert.ok(capability !== undefined);
  return capability;
}
/** The wrong fields as `path message`, or `ok`. */
async function issues(
  capability: CapabilityInput,
  side: 'input' | 'output',
  value: unknown,
  bundle = noFiles,
): Promise<string[]> {
  const validator = new SchemaValidator({ suggest });
  try {
    await validator[side]({ plugin: 'p', capability: capabilityOf(capability), bundle }, value);
    return [];
  } catch (error) {
    assert.ok(error instanceof MmmError);
    assert.equal(error.code, side === 'input' ? 'INPUT_INVALID' : 'RESULT_INVALID');
    const found = (error.data as { issues: FieldIssue[] }).issues;
    for (const { path, message } of found) assert.ok(error.message.includes(`${path} ${message}`), error.message);
    return found.map(({ path, message }) => `${path} ${message}`);
  }
}
const tool = (input: Record<string, unknown>): CapabilityInput => ({ kind: 'tool', name: 'calculate', input });

const expression = tool({
  type: 'object',
  properties: {
    expression: { type: 'string' },
    base: { enum: [2, 10, 16] },
    digits: { type: 'array', items: { type: 'integer' } },
  },
  required: ['expression'],
  additionalProperties: false,
});

test('A valid input passes unchanged, and none at all means an empty object', async () => {
  const validator = new SchemaValidator();
  const subject = { plugin: 'p', capability: capabilityOf(expression), bundle: noFiles };
  const input = { expression: '1+1', base: 10 };
  assert.equal(await validator.input(subject, input), input);
  assert.deepEqual(await issues(expression, 'input', undefined), ['input.expression is required']);
});

test('Each wrong field is named with what it must be', async () => {
  assert.deepEqual(await issues(expression, 'input', { expression: 1 }), ['input.expression must be string']);
  assert.deepEqual(await issues(expression, 'input', 'text'), ['input must be object']);
  assert.deepEqual(await issues(expression, 'input', { base: 3, digits: [1, 'x'] }), [
    'input.expression is required',
    'input.base must be one of 2, 10, 16',
    'input.digits.1 must be integer',
  ]);
});

test('An unknown field is named, with the one that was probably meant', async () => {
  assert.deepEqual(await issues(expression, 'input', { expression: '1', bass: 2 }), [
    'input.bass is not a known field; did you mean base?',
  ]);
  assert.deepEqual(await issues(expression, 'input', { expression: '1', '\u001b[2J': 2 }), [
    'input.\\u{1b}[2J is not a known field',
  ]);
});

test('The list of wrong fields is bounded, and a large wrong value costs no list', async () => {
  const numbers = tool({ type: 'array', items: { type: 'number' } });
  assert.equal(
    (
      await issues(
        numbers,
        'input',
        Array.from({ length: 500 }, () => 'x'),
      )
    ).length,
    20,
  );
  assert.deepEqual(
    await issues(
      numbers,
      'input',
      Array.from({ length: 5_000 }, () => 'x'),
    ),
    ['input.0 must be number'],
  );
});

test('The shape of a kind fills in its defaults and is checked', async () => {
  const command: CapabilityInput = { kind: 'command', name: 'greet' };
  const subject = { plugin: 'p', capability: capabilityOf(command), bundle: noFiles };
  assert.deepEqual(await new SchemaValidator().input(subject, undefined), { args: [], options: {} });
  assert.deepEqual(await issues(command, 'input', { args: ['a', 1] }), ['input.args.1 must be string']);
  assert.deepEqual(await issues(command, 'output', { exit_code: 'zero' }), ['output.exit_code must be number']);
  assert.deepEqual(await issues(command, 'output', { exit_code: 0, more: true }), []);
});

test('An output is checked by its own schema and passes unchanged', async () => {
  const capability: CapabilityInput = { kind: 'tool', name: 'calculate', output: { type: 'number' } };
  assert.deepEqual(await issues(capability, 'output', 'two'), ['output must be number']);
  assert.deepEqual(await issues(capability, 'output', 2), []);
  assert.deepEqual(await issues({ kind: 'tool', name: 'any' }, 'output', null), []);
});

test('A schema file is read from the bundle once', async () => {
  const read: string[] = [];
  const bundle: BundleSchemas = {
    key: 'b1',
    readFile: (path) => {
      read.push(path);
      return Promise.resolve('{"type": "string"}');
    },
  };
  const validator = new SchemaValidator();
  const capability = capabilityOf({ kind: 'tool', name: 'calculate', input: 'schemas/input.json' });
  await validator.input({ plugin: 'p', capability, bundle }, 'a');
  await validator.input({ plugin: 'p', capability, bundle }, 'b');
  assert.deepEqual(read, ['schemas/input.json']);
  await validator.input({ plugin: 'p', capability, bundle: { ...bundle, key: 'b2' } }, 'a');
  assert.equal(read.length, 2);
});

test("A schema that cannot be used is the plugin's mistake and says where", async () => {
  const cases: readonly [schema: Record<string, unknown> | string, message: RegExp][] = [
    ['schemas/missing.json', /in schemas\/missing\.json cannot be used: no file/],
    [{ type: 'strin' }, /it is not a JSON Schema: \/type must be equal to one of/],
    [{ $ref: 'https://example.com/schema.json' }, /resolve reference https:\/\/example\.com/],
    [{ $async: true }, /\$async/],
    [{ pattern: '(?=a)b' }, /\(\?=/],
    [{ enum: Array.from({ length: 20_000 }, (_, index) => index) }, /more than 10000 values/],
  ];
  for (const [schema, message] of cases) {
    const capability = capabilityOf({ kind: 'tool', name: 'calculate', input: schema });
    const subject = { plugin: 'p', capability, bundle: noFiles };
    await assert.rejects(new SchemaValidator().input(subject, {}), (error) => {
      assert.ok(MmmError.is(error, 'MANIFEST_INVALID'));
      assert.match(error.message, message);
      assert.equal(error.data.issues[0]?.path, 'capabilities.calculate.input');
      return true;
    });
  }
});

test('A schema file over the limit is refused, and one that could not be read is tried again', async () => {
  const texts = ['{"a": "', '"'.padStart(300_000, 'x'), '{}'];
  const bundle: BundleSchemas = {
    key: 'b',
    readFile: () => {
      const text = texts.shift();
      return text === '{}' || text === undefined ? '{}' : text;
    },
  };
  const validator = new SchemaValidator();
  const subject = { plugin: 'p', capability: capabilityOf({ kind: 'tool', name: 't', input: 's.json' }), bundle };
  await assert.rejects(validator.input(subject, {}), /JSON/);
  await assert.rejects(validator.input(subject, {}), /larger than 256 KiB/);
  assert.deepEqual(await validator.input(subject, {}), {});
});
