import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Plugin } from '@mmm/plugin-sdk';
import { type Manifest, manifest } from '@mmm/protocol';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'smol-toml';
import { calculator } from '../../../plugins/calculator/src/calculator.ts';
import { datePlugin } from '../../../plugins/date/src/date.ts';
import { fileWatchPlugin } from '../../../plugins/file_watch/src/file-watch.ts';
import { gitPlugin } from '../../../plugins/git/src/git.ts';
import { httpRequestPlugin } from '../../../plugins/http_request/src/http-request.ts';
import { timerPlugin } from '../../../plugins/timer/src/timer.ts';

const folder = join(import.meta.dirname, '../../../plugins');

function read(name: string): Manifest {
  return manifest.parse(parse(readFileSync(join(folder, name, 'plugin.toml'), 'utf8')));
}

function schemaOf(name: string, tool: string, side: 'input' | 'output'): ValidateFunction {
  const file = read(name).capabilities.find((capability) => capability.name === tool)?.[side];
  assert.equal(typeof file, 'string', `${name} ${tool} names its ${side} schema`);
  return new Ajv2020({ strict: true, allowUnionTypes: true }).compile(
    JSON.parse(readFileSync(join(folder, name, String(file)), 'utf8')),
  );
}

function accepts(validate: ValidateFunction, values: readonly unknown[]): void {
  for (const value of values)
    assert.ok(validate(value), `${JSON.stringify(value)}: ${JSON.stringify(validate.errors)}`);
}
function refuses(validate: ValidateFunction, values: readonly unknown[]): void {
  for (const value of values) assert.equal(validate(value), false, JSON.stringify(value));
}

describe('the shipped plugins', () => {
  for (const name of readdirSync(folder).filter((entry) => existsSync(join(folder, entry, 'plugin.toml')))) {
    it(`${name} has a valid manifest of its own name, a licence, a README and schemas that compile`, () => {
      const { plugin, capabilities } = read(name);
      assert.equal(plugin.name, name);
      assert.match(readFileSync(join(folder, name, 'LICENSE'), 'utf8'), /^MIT License/);
      assert.match(readFileSync(join(folder, name, 'README.md'), 'utf8'), new RegExp(`^# ${name}\n`));
      for (const { name: tool, description, input, output } of capabilities) {
        assert.ok(description, `${tool} is described`);
        if (input !== undefined) schemaOf(name, tool, 'input');
        if (output !== undefined) schemaOf(name, tool, 'output');
      }
    });
  }
  it('on the SDK do exactly what their manifests declare', () => {
    const check = (name: string, plugin: Plugin): void => {
      const declared = read(name).capabilities.map(({ kind, name: tool }) => ({ kind, name: tool }));
      assert.deepEqual(plugin.capabilities, declared);
      assert.equal(plugin.version, read(name).plugin.version);
    };
    check('calculator', calculator);
    check(
      'date',
      datePlugin(() => 0),
    );
    check(
      'git',
      gitPlugin(() => assert.fail('git was run')),
    );
    check('http_request', httpRequestPlugin({ now: () => 0, monotonic: () => 0 }));
  });
  it('have configurations with defaults that are valid', () => {
    for (const [name, valid, invalid] of [
      [
        'git',
        [{}, { repository: '/r', author_name: 'A', author_email: 'a@b', commit_template: '{{name}}: {{title}}' }],
        [{ repository: 'r' }, { author_name: 'A' }, { default_branch: '-x' }, { auto_commit: 'yes' }, { other: 1 }],
      ],
      [
        'http_request',
        [{ base_url: 'https://a.test', auth: { token: 't' } }, { headers: { 'X-A': 'b' } }],
        [
          ...[{ auth: { token: 't' } }, { base_url: 'ftp://a.test' }, { timeout_s: 0 }, { headers: { 'a b': 'c' } }],
          ...[{ headers: { Authorization: 'x' } }, { headers: { a: 'b\r\nc: d' } }, { headers: { COOKIE: 'x' } }],
        ],
      ],
    ] as const) {
      const { config } = read(name);
      const ajv = new Ajv2020({ strict: true, formats: { secret: true }, allowUnionTypes: true });
      const check = ajv.compile(JSON.parse(readFileSync(join(folder, name, String(config?.schema)), 'utf8')));
      accepts(check, [config?.defaults, ...valid]);
      refuses(check, invalid);
    }
  });
  it('take the inputs their READMEs show and refuse others', () => {
    const calculate = schemaOf('calculator', 'calculate', 'input');
    accepts(calculate, [{ expression: '2+2*3' }, { expression: '1'.repeat(1000) }]);
    refuses(calculate, [
      {},
      { expression: '' },
      { expression: 4 },
      { expression: '1'.repeat(1001) },
      { expression: '1', x: 1 },
    ]);
    accepts(schemaOf('date', 'now', 'input'), [{}, { timezone: 'Europe/Berlin', format: 'iso' }]);
    refuses(schemaOf('date', 'now', 'input'), [{ format: 'rfc' }, { zone: 'UTC' }, null]);
    accepts(schemaOf('date', 'add', 'input'), [{ date: '2026-01-31', months: 1, seconds: -5 }]);
    refuses(schemaOf('date', 'add', 'input'), [{ months: 1 }, { date: '2026-01-31', months: 0.5 }]);
    const request = schemaOf('http_request', 'http_request', 'input');
    accepts(request, [
      { url: 'https://api.github.com/zen' },
      { url: 'x', method: 'POST', json: null, query: { a: [1, 'b', true] }, auth: { type: 'bearer', token: 't' } },
    ]);
    refuses(request, [
      ...[{}, { url: '' }, { url: 'x', method: 'CONNECT' }, { url: 'x', headers: { a: 'b\nc' } }],
      ...[
        { url: 'x', auth: { type: 'bearer', token: 'a b' } },
        { url: 'x', timeout_s: 0 },
        { url: 'x', metod: 'GET' },
      ],
    ]);
    accepts(schemaOf('git', 'commit_spec', 'input'), [{ spec: 'specs/login.md', paths: ['src/login.ts'] }]);
    refuses(schemaOf('git', 'commit_spec', 'input'), [{}, { spec: '' }, { spec: 'a', repository: 'relative' }]);
    accepts(schemaOf('text_statistics', 'count', 'input'), [{ text: '' }, { text: 'a', top: 0 }]);
    refuses(schemaOf('text_statistics', 'count', 'input'), [{ text: 1 }, { text: 'a', top: -1 }]);
    accepts(schemaOf('roman', 'roman', 'input'), [{ number: 1 }, { number: 3999 }]);
    refuses(schemaOf('roman', 'roman', 'input'), [{ number: 0 }, { number: 4000 }, { number: 1.5 }, { number: '1' }]);
  });
});

describe('the shipped triggers', () => {
  it('on the SDK do exactly what their manifests declare', () => {
    const declared = (name: string) => read(name).capabilities.map(({ kind, name: own }) => ({ kind, name: own }));
    const timer = timerPlugin({ now: () => 0, after: () => () => undefined });
    assert.deepEqual([...timer.capabilities].sort(byName), declared('timer').sort(byName));
    assert.deepEqual(fileWatchPlugin(() => () => undefined).capabilities, declared('file_watch'));
  });

  it('have schemas of their configurations that say yes and no', () => {
    for (const [name, trigger, right, wrong] of [
      ['timer', 'cron', { expression: '* * * * *', missed: 'once', data: [1] }, { expression: '* * * * *', zone: 'x' }],
      ['timer', 'interval', { seconds: 0.1 }, { seconds: 0 }],
      ['file_watch', 'files', { path: '/x', events: ['created'] }, { path: 'x' }],
    ] as const) {
      const file = read(name).capabilities.find((capability) => capability.name === trigger)?.config;
      const check = new Ajv2020({ strict: true }).compile(
        JSON.parse(readFileSync(join(folder, name, String(file)), 'utf8')),
      );
      accepts(check, [right]);
      refuses(check, [wrong, {}]);
    }
  });
});

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}
