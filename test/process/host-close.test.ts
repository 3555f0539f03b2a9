import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { createHost, MmmError } from '@mmm/host';
import { systemClock } from '@mmm/rpc';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const python =
  existsSync('/usr/bin/python3') || existsSync('/usr/local/bin/python3') ? {} : { skip: 'python3 is not installed' };

test('a call that is open when the host closes fails as closed, and the plugin ends soon', confined, async (t) => {
  const { host } = await fixtureHost(t, ['never-answers']);
  const plugin = await host.plugin('never_answers');
  let working: () => void = () => undefined;
  const started = new Promise<void>((resolve) => {
    working = resolve;
  });
  const call = assert.rejects(plugin.execute('run', {}, { onProgress: () => working() }), (error) => {
    assert.ok(MmmError.is(error, 'HOST_CLOSED'), String(error));
    assert.equal(error.message, 'The host was closed before never_answers answered.');
    return true;
  });
  await started;
  const startedMs = systemClock.monotonic();
  await host.close();
  const tookMs = systemClock.monotonic() - startedMs;
  await call;
  assert.ok(tookMs < 5_000, `${tookMs} ms: as long as its drain and one rung, not as long as all of them`);
});

test('a plugin that reads nothing during a call is not given the whole ladder', {
  ...confined,
  ...python,
}, async (t) => {
  const { host } = await fixtureHost(t, [{ behaviour: 'sleeps-in-call', command: ['python3', 'main.py'] }]);
  const plugin = await host.plugin('sleeps_in_call');
  let working: () => void = () => undefined;
  const started = new Promise<void>((resolve) => {
    working = resolve;
  });
  const call = plugin.execute('run', {}, { onProgress: () => working() }).catch((error: unknown) => error);
  await started;
  const startedMs = systemClock.monotonic();
  await host.close();
  const tookMs = systemClock.monotonic() - startedMs;
  assert.ok(MmmError.is(await call, 'HOST_CLOSED'), String(await call));
  assert.ok(tookMs < 7_000, `${tookMs} ms: a second each for its call, for the request and for the end of its input`);
});

test('a host in `await using` is closed at the end of its block', async (t) => {
  const home = `${tempFolder(t)}/home`;
  const seen = await (async () => {
    await using host = await createHost({ home });
    await host.list();
    return host;
  })();
  await assert.rejects(seen.list(), (error) => MmmError.is(error, 'HOST_CLOSED'));
});
