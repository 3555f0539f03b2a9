import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as z from 'zod';
import { PluginError } from '../../../packages/plugin-sdk/src/plugin-error.ts';
import { parseWith, type StandardSchema } from '../../../packages/plugin-sdk/src/schema.ts';

async function problem(schema: Parameters<typeof parseWith>[0], value: unknown): Promise<PluginError> {
  try {
    await parseWith(schema, value, 'The input', 'invalid_params');
  } catch (error) {
    assert.ok(error instanceof PluginError);
    return error;
  }
  throw new assert.AssertionError({ message: 'was accepted' });
}

describe('parseWith', () => {
  it('gives the value as it came when there is no schema', async () => {
    const value = { a: 1 };
    assert.equal(await parseWith(undefined, value, 'The input', 'invalid_params'), value);
  });
  it('gives what the schema made of it', async () => {
    const schema = z.object({ count: z.number().default(3) });
    assert.deepEqual(await parseWith(schema, {}, 'The input', 'invalid_params'), { count: 3 });
  });
  it('names every field that does not fit', async () => {
    const error = await problem(z.object({ list: z.array(z.string()), name: z.string() }), { list: ['a', 1] });
    assert.equal(error.kind, 'invalid_params');
    assert.match(error.message, /^The input is not valid: list\.1: .*; name: /);
    const { issues } = error.details as { issues: { path: string }[] };
    assert.deepEqual(
      issues.map(({ path }) => path),
      ['list.1', 'name'],
    );
  });
  it('waits for a schema that answers later, with paths of objects', async () => {
    const schema: StandardSchema<never> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async () => ({ issues: [{ message: 'no', path: [{ key: 'a' }, 0] }] }),
      },
    };
    assert.match((await problem(schema, 1)).message, /a\.0: no$/);
  });
  it('takes a function that throws', async () => {
    const schema = (value: unknown): number => {
      if (typeof value !== 'number') throw new TypeError('must be a number');
      return value;
    };
    assert.equal(await parseWith(schema, 4, 'The input', 'invalid_params'), 4);
    assert.equal((await problem(schema, 'x')).message, 'The input is not valid: must be a number');
  });
  it('leaves a PluginError of such a function alone', async () => {
    const thrown = new PluginError('quota', { kind: 'quota_exceeded' });
    assert.equal(
      await problem(() => {
        throw thrown;
      }, 1),
      thrown,
    );
  });
});
