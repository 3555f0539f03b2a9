// Takes seconds: the command, and plugins that hear what it says.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { heard, hears, hooks, types } from '../support/event-plugins.ts';
import { fixtureHost } from '../support/fixture-host.ts';

test('events are emitted, heard, listed and vetoed from the command line', confined, async (t) => {
  const { host, home, directory } = await fixtureHost(t, [
    hears('listener', ['deploy.*']),
    hooks('guard', ['deploy.requested']),
  ]);
  await host.close();
  const emitted = await mmm({ home }, 'events', 'emit', 'deploy.requested', '--data', '{"to":"staging"}', '--json');
  assert.equal(emitted.code, 0, emitted.stderr);
  const { id } = emitted.json();
  assert.deepEqual(emitted.json(), { id, actions: [] });
  assert.deepEqual(heard(home, 'listener')[0]?.data, { to: 'staging' });
  assert.equal(heard(home, 'listener')[0]?.source, 'app:cli');

  writeFileSync(join(directory, 'data.json'), '{"veto":"it is Friday"}');
  const veto = await mmm({ home, cwd: directory }, 'events', 'emit', 'deploy.requested', '--data', '@data.json');
  assert.equal(veto.code, 7);
  assert.equal(veto.stdout, 'Vetoed by guard: it is Friday\n');
  const piped = await mmm(
    { home, stdin: '{"veto":"no"}' },
    'events',
    'emit',
    'deploy.requested',
    '--data',
    '-',
    '--json',
  );
  assert.equal(piped.code, 7);
  assert.deepEqual(piped.json().veto, { plugin: 'guard', reason: 'no' });

  const tail = await mmm({ home }, 'events', 'tail', '--type', 'deploy.*', '--since', '1h', '--limit', '2', '--json');
  const { events } = tail.json() as { events: { type: string; source: string }[] };
  assert.deepEqual(
    events.map(({ type, source }) => `${type} ${source}`),
    ['deploy.requested app:cli', 'deploy.requested app:cli'],
  );
  const text = await mmm({ home }, 'events', 'tail', '--type', 'event.vetoed');
  assert.match(text.stdout, /event\.vetoed host:plugins {2}\{.*"reason":"it is Friday"\}/);
  const forged = await mmm({ home }, 'events', 'emit', 'plugin.started');
  assert.equal(forged.code, 2);
  assert.match(forged.stderr, /the host's own/);
});

test('events that fail are put by, shown where one looks, and delivered again by hand', confined, async (t) => {
  const { host, home } = await fixtureHost(t, [hears('listener', ['job.*'])]);
  await host.close();
  await mmm({ home }, 'events', 'emit', 'job.bad', '--data', '{"answer":"fail"}');
  assert.equal(types(home, 'listener').length, 5);
  const list = await mmm({ home }, 'events', 'dead', 'list', 'listener', '--json');
  const [letter] = list.json().dead_letters as { id: number; error: string; tries: number }[];
  assert.equal(letter?.tries, 5);
  assert.match((await mmm({ home }, 'events', 'dead', 'list')).stdout, /failed 5 times, last .*told to fail/);
  assert.match((await mmm({ home }, 'plugin', 'doctor', 'listener')).stdout, /1 events were put by/);
  assert.match((await mmm({ home }, 'doctor')).stdout, /put by, because nobody could handle them: listener \(1\)/);
  assert.match((await mmm({ home }, 'plugin', 'stats', 'listener')).stdout, /events +0 emitted, 0 handled, 1 put by/);
  assert.match((await mmm({ home }, 'events', 'status')).stdout, /listener +0 +1 +0/);
  const retried = await mmm({ home }, 'events', 'dead', 'retry', '--all');
  assert.equal(retried.code, 7);
  assert.match(retried.stdout, /failed again: .*told to fail/);
  assert.equal((await mmm({ home }, 'events', 'dead', 'drop')).code, 2);
  assert.equal((await mmm({ home }, 'events', 'dead', 'drop', String(letter?.id))).stdout, 'Forgot 1.\n');
  assert.equal((await mmm({ home }, 'events', 'dead', 'list')).stdout, 'None.\n');
});
