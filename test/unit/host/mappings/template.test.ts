import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  expandTemplate,
  placeholderPaths,
  readTemplate,
  TemplateFailed,
  type TemplateProblem,
  type TemplateValues,
} from '../../../../packages/host/src/mappings/template.ts';

const values: TemplateValues = {
  event: {
    id: '7-ab',
    type: 'file_watch.changed',
    data: { path: '/a b', size: 3, tags: ['x', { name: 'y' }], gone: null, 'odd-key': true },
    timestamp: '2026-01-02T03:04:05.000Z',
    source: 'file_watch',
  },
  mapping: 'told',
  mode: { index: 1, name: 'Live' },
  velocity: 99,
};

function expand(params: unknown, charsMax = 1000): unknown {
  const problems: TemplateProblem[] = [];
  const template = readTemplate(params, problems);
  assert.deepEqual(problems, []);
  return expandTemplate(template, values, charsMax);
}

for (const [text, expected] of [
  ['{{event.data.size}}', 3],
  ['{{ event.data.tags }}', ['x', { name: 'y' }]],
  ['{{event.data.tags[1].name}}', 'y'],
  ['{{event.data.tags.0}}', 'x'],
  ['{{event.data.odd-key}}', true],
  ['{{event.data.gone}}', null],
  ['{{event.data}}', values.event.data],
  ['{{velocity}}', 99],
  ['{{mode.name}} {{mode.index}}', 'Live 1'],
  ['{{event.type}} of {{mapping}}', 'file_watch.changed of told'],
  ['size {{event.data.size}}', 'size 3'],
  ['{{event.data.gone}}.', '.'],
  ['{{event.data.tags}}!', '["x",{"name":"y"}]!'],
  ['{{event.data.missing?}}x', 'x'],
  ['no {braces} here }}', 'no {braces} here }}'],
  ['\\{{event.data.size}} as such', '{{event.data.size}} as such'],
] as const) {
  test(`${text} stands for ${JSON.stringify(expected)}`, () => assert.deepEqual(expand(text), expected));
}

test('a field whose value may be missing is left out of its table and its list', () => {
  const params = { a: '{{event.data.missing?}}', b: ['{{event.data.missing?}}', 1], c: { d: 'x' } };
  assert.deepEqual(expand(params), { b: [1], c: { d: 'x' } });
});

test('without a question mark a missing value fails, and says how it could be left out', () => {
  assert.throws(() => expand('{{event.data.missing}}'), TemplateFailed);
  assert.throws(
    () => expand({ a: ['{{event.data.path.below}}'] }),
    /\{\{event\.data\.path\.below\?\}\} would leave it out/,
  );
});

test('nothing but own properties of the event is reached', () => {
  for (const path of ['event.data.constructor', 'event.data.__proto__', 'event.data.tags.map']) {
    assert.throws(() => expand(`{{${path}}}`), TemplateFailed, path);
  }
});

test('what placeholders stand for is limited as a whole', () => {
  assert.throws(() => expand(['{{event.data.path}}', '{{event.data.path}}'], 7), /too large/);
  assert.deepEqual(expand(['{{event.data.path}}', '{{event.data.path}}'], 8), ['/a b', '/a b']);
});

for (const [text, problem] of [
  ['{{event.data.size', /has a "\{\{" without a path and "\}\}"/],
  ['{{evnt.data}}', /a path begins with event, mapping, mode, velocity/],
  ['{{event}}', /there is event\.id, event\.type/],
  ['{{event.dta.x}}', /there is event\.id/],
  ['{{velocity.x}}', /there is velocity alone/],
  ['{{event.data[x]}}', /is no path/],
  ['{{1+1}}', /is no path/],
  ['{{constructor}}', /a path begins with/],
] as const) {
  test(`${text} is refused when the file is read`, () => {
    const problems: TemplateProblem[] = [];
    readTemplate({ a: [text] }, problems);
    assert.deepEqual(problems[0]?.path, ['a', 0]);
    assert.match(problems[0]?.message ?? '', problem);
  });
}

test('the places of placeholders are known, and plain values have none', () => {
  const template = readTemplate({ a: 'x', b: ['{{velocity}}', { c: 'is {{velocity}}' }] }, []);
  assert.deepEqual(placeholderPaths(template), [
    ['b', 0],
    ['b', 1, 'c'],
  ]);
  assert.equal(readTemplate({ a: ['x', 1, null] }, []).kind, 'plain');
  assert.deepEqual(expand({ a: ['\\{{x}}'] }), { a: ['{{x}}'] });
});
