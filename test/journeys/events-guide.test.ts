// Takes seconds: the guide's own plugin, on the SDK, confined.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { signPlugin } from '@mmm/host';
import { emitRateOf, eventsSection, retentionOf } from '../../packages/host/src/settings/events.ts';
import { bundlePlugin } from '../support/bundle-plugin.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { runProgram, snippets } from '../support/documents.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const document = 'docs/events.md';

test('the guide to events works as it is written there', confined, async (t) => {
  const [manifest = '', settings = ''] = snippets(document, 'toml');
  const { host, home, directory } = await fixtureHost(t, [], { settings });
  const folder = join(directory, 'release_guard');
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.toml'), manifest);
  await bundlePlugin(snippets(document, 'js')[0] ?? '', join(folder, 'plugin.cjs'));
  await signPlugin(folder, await host.keys.get());
  await host.install(folder);
  await host.close();
  const outputs: string[] = [];
  const codes: number[] = [];
  for (const line of snippets(document, 'sh').flatMap((block) => block.split('\n'))) {
    const words = (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'|'$/g, ''));
    if (words.length === 0) continue;
    const { code, stdout, stderr } = await mmm({ home }, ...words.slice(1));
    assert.equal(stderr, '', line);
    codes.push(code);
    outputs.push(stdout);
  }
  const [vetoed = '', agreed = '', done = '', tail = '', status = '', ...dead] = outputs;
  assert.deepEqual(codes, [7, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(vetoed, 'Vetoed by release_guard: nobody is here at the weekend\n');
  assert.match(agreed, /^release\.requested is event /);
  assert.match(done, /^release\.done is event /);
  const said = tail.trimEnd().split('\n');
  const noted = said.at(-1) ?? '';
  assert.equal(said.length, 4);
  assert.match(noted, /release_guard\.noted release_guard {2}\{"version":"2\.0\.0"\}/);
  assert.match(status, /^release_guard +\d+ +0 +0$/m);
  assert.deepEqual(dead, ['None.\n', 'None.\n', 'Forgot 0.\n']);
  const printed = runProgram(t, snippets(document, 'ts')[0] ?? '', home);
  assert.equal(printed, 'release_guard says no: nobody is here at the weekend\nevent.vetoed true\nevent.vetoed true\n');
});

test('the table of settings has every key, with the number that is in force', () => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', document), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z_]+)` \| (\d+) \|/gm)].map(([, key, value]) => [key, Number(value)]);
  const { days, unhandledDays, journalBytes } = retentionOf(undefined);
  const inForce = {
    keep_days: days,
    unhandled_days: unhandledDays,
    journal_mb: journalBytes / 1024 / 1024,
    per_second: emitRateOf('any', undefined),
  };
  assert.deepEqual(Object.fromEntries(rows), inForce);
  const { plugins, ...numbers } = eventsSection.shape;
  assert.ok(plugins !== undefined);
  assert.deepEqual(Object.keys(inForce), Object.keys(numbers));
  const section = eventsSection.parse({ per_second: 3, plugins: { own: { per_second: 9 } } });
  assert.deepEqual([emitRateOf('own', section), emitRateOf('other', section)], [9, 3]);
});
