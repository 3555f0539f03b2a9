import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KeyRing, signRevocations } from '@mmm/bundle';
import { type Host, type LogLine, type Plugin, signPlugin, systemClock } from '@mmm/host';
import { type ErrorCode, MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { descendantsOf, stillRunning } from '../support/descendants.ts';
import { copyFixture, type Fixture, fixtureHost } from '../support/fixture-host.ts';
import { otherTerminal } from '../support/other-terminal.ts';
import { patience } from '../support/promised.ts';

/** What is promised, from the moment the list has arrived. */
const withinMs = patience(1000);
/** Starting a second process takes seconds where many tests run at once. */
const slow = { ...confined, timeout: 240_000 };

interface Hanging {
  /** Resolves with the error of the call when that ends, and the moment it did. */
  readonly ended: Promise<{ readonly error: unknown; readonly at: number }>;
}

/** A call that has arrived in the plugin and is never answered. */
async function hangingCall(plugin: Plugin): Promise<Hanging> {
  return await new Promise((arrived) => {
    const ended = plugin.execute('run', {}, { timeoutMs: 200_000, onProgress: () => arrived({ ended }) }).then(
      () => assert.fail('it answered'),
      (error: unknown) => ({ error, at: performance.now() }),
    );
  });
}

function assertCode(error: unknown, code: ErrorCode): void {
  assert.ok(MmmError.is(error, code), String(error));
}

/** A list of a root key that this host trusts, in a file, with what the plugin `id` runs as. */
async function listFor(
  t: TestContext,
  host: Host,
  directory: string,
  what: 'key' | 'bundle' | 'other',
): Promise<string> {
  const root = await new KeyRing(join(directory, `ring-${t.name.length}-${what}`)).create('root');
  await host.trustKey({ publicKey: root.publicKey, name: `root ${what}`, role: 'root', scopes: ['*'] });
  const { bundleSha256 } = await host.verify('never_answers');
  const { keyid } = await host.keys.get('test');
  const content = {
    version: 1,
    issuedAt: new Date().toISOString(),
    expires: new Date(Date.now() + 86_400_000).toISOString(),
    keys:
      what === 'key' ? [{ keyid, reason: 'stolen' }] : what === 'other' ? [{ keyid: 'f'.repeat(32), reason: '' }] : [],
    bundles: what === 'bundle' ? [{ sha256: bundleSha256, reason: 'sends data home' }] : [],
  };
  const file = join(directory, `${what}.json`);
  writeFileSync(file, await signRevocations(content, root));
  return file;
}

const stopsOf = (host: Host) => host.audit.list({ action: 'stop' }).map(({ plugin, detail }) => [plugin, detail.why]);

for (const [what, code] of [
  ['key', 'KEY_REVOKED'],
  ['bundle', 'BUNDLE_REVOKED'],
] as const) {
  test(`a ${what} that a list revokes in another process stops the running plugin within a second`, slow, async (t) => {
    const { host, home, directory } = await fixtureHost(t, ['never-answers', 'echo']);
    const plugin = await host.plugin('never_answers');
    const echo = await host.plugin('echo');
    await echo.start();
    const list = await listFor(t, host, directory, what);
    const harmless = await listFor(t, host, directory, 'other');
    const elsewhere = otherTerminal(t, home);
    const hanging = await hangingCall(plugin);
    await elsewhere('key', 'revocations', 'import', harmless);
    assert.equal(plugin.state.kind, 'running', 'a list about something else stops nothing');
    const arrivedAt = await elsewhere('key', 'revocations', 'import', list);
    const { error, at } = await hanging.ended;
    assertCode(error, code);
    assert.ok(at - arrivedAt < withinMs, `${(at - arrivedAt).toFixed(0)} ms`);
    assert.equal(plugin.pid, null);
    assert.equal(plugin.state.kind, 'stopped');
    await assert.rejects(plugin.execute('run', {}), (later) => MmmError.is(later, code));
    // The one key signed both; the bundle is only one of them.
    assert.equal(echo.state.kind, what === 'key' ? 'stopped' : 'running');
    assert.equal(stopsOf(host).length, what === 'key' ? 2 : 1);
    assert.deepEqual(
      stopsOf(host).find(([id]) => id === 'never_answers'),
      ['never_answers', code],
    );
    const refused = host.audit.list({ plugin: 'never_answers', action: 'refused' });
    assert.deepEqual(
      refused.map(({ detail }) => [detail.what, detail.error]),
      [['launch', code]],
    );
  });
}

test('a key that this very host revokes stops what runs at once', slow, async (t) => {
  const { host } = await fixtureHost(t, ['never-answers']);
  const hanging = await hangingCall(await host.plugin('never_answers'));
  const revokedAt = performance.now();
  await host.revokeKey('test', 'stolen');
  const { error, at } = await hanging.ended;
  assertCode(error, 'KEY_REVOKED');
  assert.ok(at - revokedAt < withinMs, `${(at - revokedAt).toFixed(0)} ms`);
});

test('scopes that are taken away stop what they no longer cover', slow, async (t) => {
  const { host } = await fixtureHost(t, ['never-answers', 'echo']);
  const echo = await host.plugin('echo');
  await echo.start();
  const hanging = await hangingCall(await host.plugin('never_answers'));
  const { publicKey } = await host.keys.get('test');
  await host.trustKey({ publicKey, name: 'test', scopes: ['echo'], replace: true });
  assertCode((await hanging.ended).error, 'KEY_OUT_OF_SCOPE');
  assert.equal(echo.state.kind, 'running');
});

test('a launch that is under way is called off when its key is revoked', {
  ...confined,
  timeout: 60_000,
}, async (t) => {
  const more = '[limits]\nstart_timeout_s = 120\n';
  const silent: Fixture = { behaviour: 'exits-before-hello', name: 'silent', command: ['sleep', '240'], more };
  const { host, home } = await fixtureHost(t, [silent]);
  const elsewhere = otherTerminal(t, home);
  await elsewhere('key', 'list');
  const plugin = await host.plugin('silent');
  const { seq } = host.audit.head();
  const starting = plugin.start();
  const failed = starting.then(
    () => assert.fail('it started'),
    (error: unknown) => ({ error, at: performance.now() }),
  );
  // Its launch is recorded right before its process starts.
  while (host.audit.head().seq === seq) await new Promise((resolve) => setImmediate(resolve));
  const revokedAt = await elsewhere('key', 'revoke', 'test');
  const { error, at } = await failed;
  assertCode(error, 'KEY_REVOKED');
  assert.ok(at - revokedAt < withinMs, `${(at - revokedAt).toFixed(0)} ms`);
});

test('what is unsigned by exception is stopped by the revocation of its bundle', {
  ...confined,
  timeout: 60_000,
}, async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  const folder = copyFixture({ behaviour: 'never-answers' }, directory);
  await host.install(folder, { allowUnsigned: 'never_answers' });
  const plugin = await host.plugin('never_answers');
  const hanging = await hangingCall(plugin);
  const text = readFileSync(await listFor(t, host, directory, 'bundle'), 'utf8');
  await host.importRevocations(text);
  assertCode((await hanging.ended).error, 'BUNDLE_REVOKED');
  await assert.rejects(plugin.start(), (error) => MmmError.is(error, 'BUNDLE_REVOKED'));
  await assert.rejects(host.install(folder, { allowUnsigned: 'never_answers' }), (error) =>
    MmmError.is(error, 'BUNDLE_REVOKED'),
  );
  await signPlugin(folder, await host.keys.get('test'));
  await assert.rejects(host.install(folder), (error) => MmmError.is(error, 'BUNDLE_REVOKED'), 'signed or not');
});

test('an expired list warns in doctor, and refuses starts where that is set', {
  ...confined,
  timeout: 60_000,
}, async (t) => {
  const clockMs = { now: Date.now() };
  const clock = { ...systemClock, now: () => clockMs.now };
  const { host, home, directory } = await fixtureHost(t, ['echo'], { clock });
  await host.createKey('security', { role: 'root' });
  const expires = new Date(clockMs.now + 1000);
  await host.issueRevocations({ keys: [], bundles: [], reason: '', expires });
  const check = async () => (await host.doctor()).checks.find(({ name }) => name === 'revocation lists');
  assert.equal((await check())?.status, 'ok');
  const echo = await host.plugin('echo');
  assert.equal((await echo.execute('run', 1)).output, 1);
  await echo.stop();
  clockMs.now += 2000;
  assert.equal((await check())?.status, 'warning');
  assert.equal((await echo.execute('run', 2)).output, 2, 'it warns');
  await host.close();
  writeFileSync(join(home, 'config.toml'), '[trust]\nexpired_revocations = "refuse"\n', { mode: 0o600 });
  const { createHost } = await import('@mmm/host');
  const strict = await createHost({ home, clock });
  t.after(() => strict.close());
  const refused = (error: unknown) => MmmError.is(error, 'REVOCATIONS_EXPIRED');
  await assert.rejects((await strict.plugin('echo')).execute('run', 3), refused);
  await assert.rejects(strict.install(join(directory, 'echo')), refused);
  await strict.issueRevocations({ keys: [], bundles: [], reason: '', expires: new Date(clockMs.now + 60_000) });
  assert.equal((await (await strict.plugin('echo')).execute('run', 4)).output, 4);
});

for (const standby of ['loaded', 'initialized']) {
  test(`a spare that is ${standby} goes with what it stood by for`, slow, async (t) => {
    const manifest = `schema = 1
[plugin]
name = "never_answers"
version = "1.0.0"
description = "A fixture"
license = "MIT"
command = ["node", "main.cjs"]
standby = "${standby}"
[[capabilities]]
kind = "tool"
name = "run"
`;
    let ready: () => void = () => undefined;
    const isReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const onLog = (_plugin: string, { message }: LogLine): void => {
      if (message.includes('a spare process is ready')) ready();
    };
    const others = new Set(descendantsOf(process.pid).map(({ pid }) => pid));
    const { host } = await fixtureHost(t, [{ behaviour: 'never-answers', manifest }], { onLog });
    const plugin = await host.plugin('never_answers');
    const hanging = await hangingCall(plugin);
    // Nothing else keeps this process alive meanwhile: the timers of spares do not.
    const alive = systemClock.after(60_000, () => undefined);
    await isReady;
    alive.cancel();
    const processes = descendantsOf(process.pid).filter(({ pid }) => !others.has(pid));
    assert.ok(processes.length >= 2);
    await host.revokeKey('test', 'stolen');
    assertCode((await hanging.ended).error, 'KEY_REVOKED');
    const until = performance.now() + withinMs;
    while (stillRunning(processes).length > 0 && performance.now() < until) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(stillRunning(processes), []);
    assert.equal(stopsOf(host).length, 2);
    assert.equal(plugin.state.kind, 'stopped');
  });
}

test('a list that goes back, or that nobody trusted has signed, is refused, and that is recorded', async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  const ring = new KeyRing(join(directory, 'ring'));
  const [root, stranger] = [await ring.create('root'), await ring.create('stranger')];
  await host.trustKey({ publicKey: root.publicKey, name: 'root', role: 'root', scopes: ['*'] });
  const times = { issuedAt: new Date().toISOString(), expires: new Date(Date.now() + 86_400_000).toISOString() };
  const list = (version: number, key: typeof root) =>
    signRevocations({ version, ...times, keys: [{ keyid: 'f'.repeat(32), reason: '' }], bundles: [] }, key);
  await host.importRevocations(await list(2, root));
  await assert.rejects(host.importRevocations(await list(1, root), 'older.json'), (error) =>
    MmmError.is(error, 'REVOCATIONS_OUTDATED'),
  );
  await assert.rejects(host.importRevocations(await list(3, stranger), 'foreign.json'), MmmError);
  const refused = host.audit.list({}).filter(({ action }) => action === 'refused');
  assert.deepEqual(refused.map(({ detail }) => [detail.event, detail.file]).sort(), [
    ['revocations', 'foreign.json'],
    ['revocations', 'older.json'],
  ]);
  await host.importRevocations(await list(3, root));
});
