import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type Host, type HostOptions, type PermissionPrompter } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { type FixtureHost, fixtureHost } from '../support/fixture-host.ts';
import { friendlyServer } from '../support/http-world.ts';
import { patience } from '../support/promised.ts';

type Request = Parameters<PermissionPrompter['ask']>[0];
type Answer = Awaited<ReturnType<PermissionPrompter['ask']>>;

interface World extends FixtureHost {
  readonly port: number;
  readonly asked: Request[];
  /** The status of one `fetch` of the plugin, or the name of the error. */
  fetch(host?: Host, path?: string): Promise<unknown>;
  key: string;
}

/** A plugin that works without the one host it asks for, on a machine where a person answers as they are told. */
async function world(
  t: TestContext,
  answer?: () => Answer | Promise<Answer>,
  more = '',
  options: Partial<HostOptions> = {},
): Promise<World> {
  const server = await friendlyServer(t);
  const asked: Request[] = [];
  const prompter: PermissionPrompter = {
    ask: async (request) => {
      asked.push(request);
      return (await answer?.()) ?? 'deny';
    },
  };
  const entry = `host = "http://server.test:${server.port}"\nprivate = true\noptional = true\nreason = "Says hello"\n`;
  const made = await fixtureHost(
    t,
    [{ behaviour: 'asks-for-hosts', name: 'asker', more: `[[permissions.network]]\n${entry}${more}`, grant: [] }],
    { lookup: async () => ['127.0.0.1'], ...(answer === undefined ? {} : { prompter }), ...options },
  );
  return {
    ...made,
    port: server.port,
    asked,
    key: `network=http://server.test:${server.port}!private`,
    fetch: async (host = made.host, path = '/status/200') => {
      const plugin = await host.plugin('asker');
      const params = { url: `http://server.test:${server.port}${path}` };
      const { output } = await plugin.execute<Record<string, unknown>>('run', { op: 'fetch', params });
      return output.status ?? (output.data as Record<string, unknown> | undefined)?.kind ?? output;
    },
  };
}

/** Private hosts are critical, so that the plugin's own server can stand for one: asked about, never automatic. */
test(
  'an optional host is asked about when the plugin first needs it, and once is until the host ends',
  confined,
  async (t) => {
    const { asked, fetch, host, home, key } = await world(t, () => 'once');
    assert.equal(asked.length, 0);
    assert.equal(await fetch(), 200);
    assert.equal(await fetch(), 200);
    assert.equal(asked.length, 1);
    assert.deepEqual(
      asked[0]?.items.map((item) => [item.key, item.risk, item.reason]),
      [[key, 'critical', 'Says hello']],
    );
    await (await host.plugin('asker')).stop();
    assert.equal(await fetch(), 200);
    assert.equal(asked.length, 1);
    assert.equal((await host.info('asker')).permissions[0]?.status, 'optional');
    const other = await createHost({ home, lookup: async () => ['127.0.0.1'] });
    t.after(() => other.close());
    assert.equal(await fetch(other), 'permission_denied');
  },
);

test('always is stored, and used by a process that comes later', confined, async (t) => {
  const { asked, fetch, host, home } = await world(t, () => 'always');
  assert.equal(await fetch(), 200);
  assert.equal((await host.info('asker')).permissions[0]?.status, 'granted');
  const other = await createHost({ home, lookup: async () => ['127.0.0.1'] });
  t.after(() => other.close());
  assert.equal(await fetch(other), 200);
  assert.equal(asked.length, 1);
});

test('a no holds until the plugin is started again, so that nobody is worn down', confined, async (t) => {
  const { asked, fetch, host } = await world(t, () => 'deny');
  for (let tries = 0; tries < 3; tries += 1) assert.equal(await fetch(), 'permission_denied');
  assert.equal(asked.length, 1);
  const actions = host.audit.list({ plugin: 'asker' }).map(({ action }) => action);
  assert.deepEqual(
    actions.filter((action) => ['deny', 'grant', 'refused'].includes(action)),
    ['deny', 'refused', 'refused', 'refused'],
  );
  await (await host.plugin('asker')).stop();
  assert.equal(await fetch(), 'permission_denied');
  assert.equal(asked.length, 2);
});

test('without anybody to ask it is denied, with the command that would grant it', confined, async (t) => {
  const { fetch, host, port, key } = await world(t);
  const plugin = await host.plugin('asker');
  const params = { url: `http://server.test:${port}/status/200` };
  const { output } = await plugin.execute<{ message: string }>('run', { op: 'fetch', params });
  assert.ok(output.message.includes(`The user can run: mmm plugin grant asker '${key}'`), output.message);
  await host.grant('asker', [key]);
  assert.equal(await fetch(), 200);
});

test('the deadline of a call waits while its question is read', confined, async (t) => {
  const clock = new FakeClock();
  let answer: (given: Answer) => void = () => undefined;
  const ask = (): Promise<Answer> =>
    new Promise((resolve) => {
      answer = resolve;
    });
  const { asked, fetch } = await world(t, ask, '', { clock });
  const answered = fetch();
  while (asked.length === 0) await settled();
  // A call ends after 30 s of silence.
  await clock.advance(100_000);
  answer('once');
  assert.equal(await answered, 200);
});

test('what a plugin used and was refused is counted by permission', confined, async (t) => {
  const { fetch, host, key, port } = await world(
    t,
    undefined,
    '[[permissions.environment]]\nname = "LANG"\noptional = true\n',
  );
  assert.equal(await fetch(), 'permission_denied');
  await host.grant('asker', [key, 'environment=LANG']);
  assert.equal(await fetch(), 200);
  assert.equal(await fetch(), 200);
  const plugin = await host.plugin('asker');
  await plugin.execute('run', { op: 'fetch', params: { url: `http://elsewhere.test:${port}/` } });
  const { permissions, refused } = await host.permissions('asker');
  const [network, environment] = permissions;
  assert.equal(network?.key, key);
  assert.equal(network?.used?.uses, 2);
  assert.equal(network?.used?.denials, 1);
  assert.ok(Date.now() - Date.parse(network?.used?.lastUsedAt ?? '') < 60_000);
  assert.equal(environment?.used, null);
  assert.deepEqual(
    refused.map(({ key: asked, denials }) => [asked, denials]),
    [[`network=http://elsewhere.test:${port}`, 1]],
  );
});

test('a grant that another process takes away ends the plugin within a second', confined, async (t) => {
  const { fetch, host, home, key } = await world(t);
  await host.grant('asker', [key]);
  assert.equal(await fetch(), 200);
  const plugin = await host.plugin('asker');
  const { pid } = plugin;
  assert.ok(pid !== null && pid > 0);
  const stopped = stateOf(plugin, 'stopped');
  const other = await createHost({ home });
  t.after(() => other.close());
  const startedMs = performance.now();
  await other.revoke('asker', [key]);
  await stopped;
  assert.ok(performance.now() - startedMs < patience(1000), `${performance.now() - startedMs} ms`);
  assert.throws(() => process.kill(pid, 0));
  assert.equal(await fetch(), 'permission_denied');
});

test('a plugin that does not want to go is gone all the same when its permission is', confined, async (t) => {
  const { host, home } = await fixtureHost(t, [
    {
      behaviour: 'answers-and-stays',
      more: '[[permissions.environment]]\nname = "LANG"\noptional = true\n',
      grant: ['environment=LANG'],
    },
  ]);
  const plugin = await host.plugin('answers_and_stays');
  await plugin.start();
  const stopped = stateOf(plugin, 'stopped');
  const other = await createHost({ home });
  t.after(() => other.close());
  const startedMs = performance.now();
  await other.revoke('answers_and_stays', ['environment=LANG']);
  await stopped;
  assert.ok(performance.now() - startedMs < patience(1000), `${performance.now() - startedMs} ms`);
});

test('a plugin that another process disables is stopped, and a grant of more does not stop it', confined, async (t) => {
  const { host, home } = await fixtureHost(t, [
    { behaviour: 'echo', more: '[[permissions.environment]]\nname = "LANG"\noptional = true\n', grant: [] },
  ]);
  const plugin = await host.plugin('echo');
  await plugin.start();
  const other = await createHost({ home });
  t.after(() => other.close());
  await other.grant('echo', ['environment=LANG']);
  const stopped = stateOf(plugin, 'stopped');
  const { pid } = plugin;
  await other.disable('echo');
  await stopped;
  assert.throws(() => process.kill(pid ?? 0, 0));
  await assert.rejects(plugin.execute('run', 1), (error) => MmmError.is(error, 'PLUGIN_DISABLED'));
});

test(
  'a process that runs is not disturbed by an update that waits, and is replaced when that is accepted',
  confined,
  async (t) => {
    const { host, directory } = await fixtureHost(t, ['echo']);
    const before = await host.plugin('echo');
    await before.start();
    const { pid } = before;
    const folder = join(directory, 'echo');
    const text = readFileSync(join(folder, 'plugin.toml'), 'utf8').replace('version = "1.0.0"', 'version = "2.0.0"');
    writeFileSync(join(folder, 'plugin.toml'), `${text}[[permissions.environment]]\nname = "LANG"\n`);
    await host.sign(folder);
    const { change, missing } = await host.install(folder);
    assert.deepEqual([change, missing], ['waiting', ['environment=LANG']]);
    const still = await host.plugin('echo');
    assert.equal(still, before);
    assert.equal((await still.execute('run', 7)).output, 7);
    assert.equal(still.pid, pid);
    const { updated } = await host.grant('echo', ['environment=LANG']);
    assert.equal(updated, '2.0.0');
    const after = await host.plugin('echo');
    assert.equal(after, before);
    assert.notEqual(after.pid, pid);
    assert.equal(after.spec.manifest.plugin.version, '2.0.0');
    assert.equal((await after.execute('run', 8)).output, 8);
    assert.equal((await host.info('echo')).update, null);
  },
);

async function stateOf(plugin: Awaited<ReturnType<Host['plugin']>>, wanted: string): Promise<void> {
  for await (const { kind } of plugin.changes(new AbortController().signal)) if (kind === wanted) return;
}
