import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type LogLine, type Plugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { installVersion, type Told, type VersionOptions } from '../support/versions.ts';

/** A host with version 1.0.0 of a plugin, and what waits for a line of its log. */
async function machine(t: Pick<TestContext, 'after'>, name: string, options: VersionOptions = {}) {
  const seen: string[] = [];
  const waiting = new Set<() => void>();
  const onLog = (_plugin: string, { message }: LogLine): void => {
    seen.push(message);
    for (const look of waiting) look();
  };
  const { host, directory, home } = await fixtureHost(t, [], { onLog });
  await installVersion(host, directory, name, '1.0.0', options);
  const plugin = await host.plugin(name);
  const logged = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!seen.some((line) => pattern.test(line))) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const install = (version: string, more: VersionOptions = {}) =>
    installVersion(host, directory, name, version, { ...options, ...more });
  return { host, home, directory, plugin, logged, install };
}
async function told(plugin: Plugin, input: Record<string, unknown> = {}): Promise<string> {
  return (await plugin.execute<Told>('run', input)).output.version;
}
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error,
  );
function storedBundles(home: string): number {
  return readdirSync(join(home, 'store')).filter((name) => /^[0-9a-f]{64}$/.test(name)).length;
}

test(
  'an update of a plugin under load loses no call, duplicates none, and is what answers afterwards',
  confined,
  async (t) => {
    const { plugin, install, home } = await machine(t, 'reload_load');
    await plugin.start();
    const versions = new Map<string, number>();
    let next = 0;
    let isUpdated = false;
    let left = Number.POSITIVE_INFINITY;
    const caller = async (): Promise<void> => {
      for (; left > 0; left -= 1) {
        const number = next++;
        const { output } = await plugin.execute<Told>('run', { number });
        assert.equal(output.number, number);
        versions.set(output.version, (versions.get(output.version) ?? 0) + 1);
      }
    };
    const callers = Promise.all(Array.from({ length: 16 }, caller));
    for (const version of ['1.1.0', '1.2.0', '1.3.0']) {
      const { reload } = await install(version);
      assert.equal(reload?.outcome, 'switched');
    }
    isUpdated = true;
    left = 200;
    await callers;
    assert.ok(isUpdated);
    assert.equal(
      [...versions.values()].reduce((sum, calls) => sum + calls, 0),
      next,
    );
    assert.ok((versions.get('1.3.0') ?? 0) >= 184, 'calls that began after the switch are answered by the new version');
    const calls = readFileSync(join(home, 'data', 'reload_load', 'calls'), 'utf8')
      .trim()
      .split('\n')
      .map(Number);
    assert.deepEqual(
      calls.toSorted((a, b) => a - b),
      Array.from({ length: next }, (_, number) => number),
    );
    assert.equal(plugin.generation, 3);
  },
);

test(
  'a call in flight is answered by the process it was sent to, while the next ones go to the new one',
  confined,
  async (t) => {
    const { plugin, install, logged } = await machine(t, 'reload_drain');
    await plugin.start();
    const held = told(plugin, { hold: true });
    const { pid } = plugin;
    // Answered behind it: the first is at work.
    await told(plugin);
    await install('1.1.0');
    assert.equal(await told(plugin), '1.1.0');
    assert.doesNotThrow(() => process.kill(pid ?? 0, 0));
    await told(plugin, { letGo: true });
    assert.equal(await held, '1.0.0');
    await logged(/was stopped by the host/);
    assert.throws(() => process.kill(pid ?? 0, 0));
    assert.equal(plugin.state.kind, 'running');
  },
);

for (const fault of ['ends', 'ends-soon', 'silent'] as const) {
  test(
    `an update that ${fault} is taken back: the version before goes on and is the installed one`,
    confined,
    async (t) => {
      const { host, home, plugin, install } = await machine(t, `reload_${fault.replace('-', '_')}`);
      await plugin.start();
      const { pid } = plugin;
      const error = await rejection(install('1.1.0', { fault }));
      assert.ok(MmmError.is(error, 'RELOAD_FAILED'), String(error));
      assert.deepEqual([error.data.version, error.data.kept], ['1.1.0', '1.0.0']);
      assert.equal(await told(plugin), '1.0.0');
      assert.equal(plugin.pid, pid, 'not a moment was lost');
      assert.equal((await host.info(plugin.id)).version, '1.0.0');
      assert.equal(storedBundles(home), 1, 'what failed does not stay in the store');
      await plugin.stop();
      assert.equal(await told(plugin), '1.0.0');
      await install('1.2.0');
      assert.equal(await told(plugin), '1.2.0');
    },
  );
}

test(
  'of an exclusive plugin no two processes run at one time, and calls wait for the next one',
  confined,
  async (t) => {
    const { plugin, install } = await machine(t, 'reload_alone', { fault: 'alone', exclusive: true });
    await plugin.start();
    const { pid } = plugin;
    const answers: Promise<string>[] = [];
    const states = plugin.changes(t.signal);
    const installed = install('1.1.0');
    for await (const state of states) {
      if (state.kind === 'stopping' || state.kind === 'starting') answers.push(told(plugin));
      if (state.kind === 'running' && state.pid !== pid) break;
    }
    assert.equal((await installed).reload?.outcome, 'switched');
    assert.ok(answers.length > 1);
    assert.deepEqual(new Set(await Promise.all(answers)), new Set(['1.1.0']));
  },
);

test('an exclusive plugin whose update does not start comes back as it was', confined, async (t) => {
  const { host, plugin, install } = await machine(t, 'reload_back', { fault: 'alone', exclusive: true });
  await plugin.start();
  const error = await rejection(install('1.1.0', { fault: 'ends' }));
  assert.ok(MmmError.is(error, 'RELOAD_FAILED'), String(error));
  assert.equal(await told(plugin), '1.0.0');
  assert.equal((await host.info(plugin.id)).version, '1.0.0');
});

test('a handle takes over what another process installs, running or not', confined, async (t) => {
  const { host, home, directory, plugin } = await machine(t, 'reload_other');
  const other = await createHost({ home });
  t.after(() => other.close());
  await installVersion(other, directory, plugin.id, '1.1.0');
  assert.equal(await told(plugin), '1.1.0', 'it did not run');
  const { pid } = plugin;
  const states = plugin.changes(t.signal);
  await installVersion(other, directory, plugin.id, '1.2.0');
  for await (const state of states) if (state.kind === 'running' && state.pid !== pid) break;
  assert.equal(await told(plugin), '1.2.0', 'it ran');
  assert.equal((await host.plugin(plugin.id)).spec.manifest.plugin.version, '1.2.0');
});

test(
  'a restart puts another process of the same version in place; asked for many times at once, it is done twice',
  confined,
  async (t) => {
    const { host, plugin } = await machine(t, 'reload_restart');
    const started = await host.reload(plugin.id);
    assert.deepEqual([started.outcome, started.pid], ['started', plugin.pid]);
    const reports = await Promise.all(Array.from({ length: 8 }, () => plugin.restart()));
    assert.deepEqual(new Set(reports.map(({ outcome }) => outcome)), new Set(['switched']));
    assert.equal(new Set(reports.map(({ pid }) => pid)).size, 2);
    assert.notEqual(plugin.pid, started.pid);
    assert.equal(plugin.generation, 2);
    assert.equal((await host.statistics(plugin.id)).loads, 3);
  },
);

test('a call that waited in line is checked again by the version that it reaches', confined, async (t) => {
  const { plugin, install } = await machine(t, 'reload_checked', { more: '[limits]\nconcurrency = 1' });
  await plugin.start();
  const first = told(plugin, { hold: true });
  const waiting = rejection(told(plugin));
  const { reload } = await install('2.0.0', { tool: 'let_go', more: '' });
  assert.equal(reload?.outcome, 'switched');
  const error = await waiting;
  assert.ok(MmmError.is(error, 'CAPABILITY_NOT_FOUND'), String(error));
  await plugin.execute('let_go', { letGo: true });
  assert.equal(await first, '1.0.0');
});

test(
  'the version before is kept for a rollback, the one before that is not, and a removal takes both',
  confined,
  async (t) => {
    const { host, home, plugin, install } = await machine(t, 'reload_kept');
    assert.ok(MmmError.is(await rejection(host.rollback(plugin.id)), 'ROLLBACK_UNAVAILABLE'));
    await plugin.start();
    await install('1.1.0');
    await install('1.2.0');
    assert.equal(storedBundles(home), 2);
    const { version, replaced, reload } = await host.rollback(plugin.id);
    assert.deepEqual([version, replaced, reload?.outcome], ['1.1.0', '1.2.0', 'switched']);
    assert.equal(await told(plugin), '1.1.0');
    assert.equal((await host.rollback(plugin.id)).version, '1.2.0');
    assert.equal(await told(plugin), '1.2.0');
    const installs = host.audit.list({ plugin: plugin.id, action: 'install' });
    assert.deepEqual(
      installs.map(({ detail }) => detail.why),
      [undefined, undefined, undefined, 'rollback', 'rollback'],
    );
    await host.remove(plugin.id);
    assert.equal(storedBundles(home), 0);
  },
);

test('a candidate whose key is revoked meanwhile is ended, and so is what ran', confined, async (t) => {
  const { host, plugin } = await machine(t, 'reload_revoked');
  await plugin.start();
  const restarting = plugin.restart().catch(() => undefined);
  const [key] = await host.keys.list();
  assert.ok(key !== undefined);
  await host.revokeKey(key.keyid, 'lost');
  await restarting;
  assert.equal(plugin.pid, null);
  assert.ok(MmmError.is(await rejection(told(plugin)), 'KEY_REVOKED'));
});
