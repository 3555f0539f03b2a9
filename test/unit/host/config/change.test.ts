import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { applyChange } from '../../../../packages/host/src/config/change.ts';
import type { StoredConfig } from '../../../../packages/host/src/config/config-store.ts';
import { type Definition, Definitions } from '../../../../packages/host/src/config/definition.ts';
import {
  effectiveConfig,
  listFields,
  secretsOf,
  withoutSecrets,
} from '../../../../packages/host/src/config/effective.ts';
import { suggest } from '../../../../packages/host/src/source/suggest.ts';

const none: StoredConfig = { values: {}, secrets: {} };
const subject = { plugin: 'acme', schema: 'config.schema.json' };
const schema = {
  type: 'object',
  required: ['key'],
  properties: {
    key: { type: 'string', format: 'secret' },
    color: { type: 'string', default: 'red' },
    server: {
      type: 'object',
      required: ['host'],
      properties: { host: { type: 'string' }, port: { type: 'integer', default: 80 }, auth: { format: 'secret' } },
    },
    retry: { type: 'object', properties: { times: { type: 'integer', default: 3 } } },
    headers: { type: 'object', additionalProperties: { type: 'string' } },
    tokens: { type: 'object', additionalProperties: { type: 'string', format: 'secret' } },
  },
};

function define(source: object = schema, defaults: Record<string, unknown> = {}): Promise<Definition> {
  const definitions = new Definitions(suggest);
  return definitions.read({
    plugin: 'acme',
    defaults,
    schema: subject.schema,
    readFile: async () => JSON.stringify(source),
  });
}

const apply = (definition: Definition, stored: StoredConfig, change: Parameters<typeof applyChange>[3]): StoredConfig =>
  applyChange(subject, definition, stored, change, suggest);

function issuesOf(work: () => unknown): Record<string, string> {
  try {
    work();
  } catch (error) {
    assert.ok(MmmError.is(error, 'CONFIG_INVALID'), String(error));
    return Object.fromEntries(error.data.issues.map(({ path, message }) => [path, message]));
  }
  assert.fail('it was not refused');
}

test('defaults of the manifest come before those of the schema, and what was set before both', async () => {
  const definition = await define(schema, { color: 'blue', headers: { a: '1' } });
  assert.deepEqual(effectiveConfig(definition, none), { color: 'blue', headers: { a: '1' }, retry: { times: 3 } });
  const stored = apply(definition, none, { set: { 'server.host': 'h', 'headers.b': '2', color: 'green' } });
  assert.deepEqual(effectiveConfig(definition, stored), {
    color: 'green',
    headers: { a: '1', b: '2' },
    retry: { times: 3 },
    server: { host: 'h', port: 80 },
  });
});

test('secrets are kept apart at any depth, and a table with one is divided', async () => {
  const definition = await define();
  const stored = apply(definition, none, {
    set: { key: 'k1234', server: { host: 'h', auth: { user: 'u' } }, 'tokens.github': 'g1234' },
  });
  assert.deepEqual(stored.values, { server: { host: 'h' } });
  assert.deepEqual(stored.secrets, { key: 'k1234', server: { auth: { user: 'u' } }, tokens: { github: 'g1234' } });
  const config = effectiveConfig(definition, stored);
  assert.deepEqual(config.server, { host: 'h', port: 80, auth: { user: 'u' } });
  assert.deepEqual(withoutSecrets(definition.root, config, secretsOf(definition, config, stored)), {
    color: 'red',
    key: '[secret]',
    retry: { times: 3 },
    server: { host: 'h', port: 80, auth: '[secret]' },
    tokens: { github: '[secret]' },
  });
  const replaced = apply(definition, stored, { replace: { color: 'x' } });
  assert.deepEqual(replaced, { values: { color: 'x' }, secrets: stored.secrets });
  assert.deepEqual(apply(definition, stored, { unset: ['server', 'tokens'] }), {
    values: {},
    secrets: { key: 'k1234' },
  });
  const wrongPlace = apply(definition, none, { set: { server: 'maybe-a-secret' } });
  assert.deepEqual(wrongPlace, { values: {}, secrets: { server: 'maybe-a-secret' } });
});

test('what becomes secret with an update is moved at the next change, and what was secret stays so', async () => {
  const before: StoredConfig = { values: { key: 'k1234', color: 'c' }, secrets: { color: 's1234' } };
  const definition = await define();
  const after = apply(definition, before, { set: { 'server.host': 'h' } });
  assert.deepEqual(after, {
    values: { color: 'c', server: { host: 'h' } },
    secrets: { key: 'k1234', color: 's1234' },
  });
  const fields = listFields(definition, after);
  assert.deepEqual(
    fields.filter(({ secret }) => secret).map(({ key, value, from }) => `${key} ${value} ${from}`),
    ['key [secret] user', 'color [secret] user', 'server.auth null unset', 'tokens null unset'],
  );
});

test('keys the schema does not name are refused with the nearest one', async () => {
  const definition = await define();
  assert.deepEqual(
    issuesOf(() => apply(definition, none, { set: { colour: 'x', 'server.prt': 1, 'a..b': 1 } })),
    {
      colour: 'is not a known field; did you mean color?',
      'server.prt': 'is not a known field; did you mean server.port?',
      'a..b': 'is not a key: names are joined by dots',
    },
  );
  assert.deepEqual(
    issuesOf(() => apply(definition, none, { unset: ['color'] })),
    { color: 'is not set' },
  );
  assert.deepEqual(
    issuesOf(() => apply(definition, none, { replace: { key: 'x' } })),
    {
      key: 'is a secret: set it apart from the others',
    },
  );
  assert.match(
    issuesOf(() => apply(definition, none, { set: { key: 'x' }, visible: ['key'] })).key ?? '',
    /is a secret/,
  );
  assert.deepEqual(apply(definition, none, { set: { 'headers.x-any': 'y' } }).values, { headers: { 'x-any': 'y' } });
  assert.ok(issuesOf(() => apply(definition, none, { set: { headers: JSON.parse('{"__proto__":{}}') } })).headers);
  assert.ok(issuesOf(() => apply(definition, none, { set: { color: 'x'.repeat(300_000) } }))['the whole']);
});

test('without a schema the defaults are all there is', () => {
  const bare: Definition = { defaults: { a: 1 }, root: undefined, check: () => [] };
  assert.deepEqual(effectiveConfig(bare, { values: { b: 2 }, secrets: {} }), { a: 1 });
  assert.match(Object.values(issuesOf(() => apply(bare, none, { set: { a: 2 } })))[0] ?? '', /no configuration schema/);
});

test('a schema that cannot be used is a mistake of the plugin', async () => {
  for (const bad of [{ type: 'nonsense' }, { $ref: '#/nowhere' }, 7 as unknown as object]) {
    await assert.rejects(define(bad), (error) => MmmError.is(error, 'MANIFEST_INVALID'));
  }
});
