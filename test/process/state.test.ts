import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type Host, type HostOptions, MmmError } from '@mmm/host';
import { bundlePlugin } from '../support/bundle-plugin.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const every = ['plugin', 'project', 'global']
  .map((scope) => `[[permissions.state]]\nscope = "${scope}"\nreason = "keeps what it is told to keep"\n`)
  .join('\n');

interface Request {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}
interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly data: { readonly kind: string; readonly details: Readonly<Record<string, unknown>> };
}

const get = (scope: string, key: string): Request => ({ method: 'get_state', params: { scope, key } });
const set = (scope: string, key: string, value: unknown, more = {}): Request => {
  return { method: 'set_state', params: { scope, key, value, ...more } };
};

/** What the host answered to each request of one call, results and errors alike. */
async function ask(host: Host, plugin: string, ...requests: readonly Request[]): Promise<readonly unknown[]> {
  return (await (await host.plugin(plugin)).execute<readonly unknown[]>('run', { requests })).output;
}

async function two(t: TestContext, options: Partial<HostOptions> = {}) {
  const fixture = { behaviour: 'asks-the-host', more: every };
  return await fixtureHost(
    t,
    [
      { ...fixture, name: 'keeps_one' },
      { ...fixture, name: 'keeps_two' },
    ],
    options,
  );
}

function project(t: TestContext): string {
  const folder = join(tempFolder(t), 'project');
  mkdirSync(folder);
  return folder;
}

test(
  'a plugin keeps values with versions, over restarts, and another sees only what is shared',
  confined,
  async (t) => {
    const { host, home } = await two(t, { project: project(t) });
    const value = { nested: [1, 'ü', null] };
    assert.deepEqual(
      await ask(
        host,
        'keeps_one',
        get('plugin', 'k'),
        set('plugin', 'k', value),
        set('plugin', 'k', 2, { if_version: 1 }),
      ),
      [{ value: null, version: 0 }, { version: 1 }, { version: 2 }],
    );
    await ask(host, 'keeps_one', set('plugin', 'k', value), set('project', 'k', 'p'), set('global', 'k', 'g'));
    assert.deepEqual(await ask(host, 'keeps_two', get('plugin', 'k'), get('project', 'k'), get('global', 'k')), [
      { value: null, version: 0 },
      { value: 'p', version: 1 },
      { value: 'g', version: 1 },
    ]);
    await host.close();
    await using next = await createHost({ home });
    assert.deepEqual(await ask(next, 'keeps_one', get('plugin', 'k')), [{ value, version: 3 }]);
    const [refusal] = (await ask(next, 'keeps_one', get('project', 'k'))) as [Refusal];
    assert.equal(refusal.data.kind, 'invalid_params');
    assert.match(refusal.message, /no project here/);
  },
);

test(
  'a conflict names the current version, several operations are one change, and bounds hold',
  confined,
  async (t) => {
    const { host } = await two(t);
    const update = (operations: readonly unknown[]): Request => {
      return { method: 'update_state', params: { scope: 'plugin', operations } };
    };
    const answers = await ask(
      host,
      'keeps_one',
      set('plugin', 'a', 1),
      set('plugin', 'a', 2, { if_version: 7 }),
      update([
        { op: 'set', key: 'b', value: 1 },
        { op: 'check', key: 'a', if_version: 9 },
      ]),
      get('plugin', 'b'),
      update([
        { op: 'check', key: 'a', if_version: 1 },
        { op: 'set', key: 'b', value: 2 },
        { op: 'delete', key: 'a' },
      ]),
      { method: 'list_state', params: { scope: 'plugin' } },
      { method: 'delete_state', params: { scope: 'plugin', key: 'absent' } },
      { method: 'set_state', params: { scope: 'plugin', key: 'c' } },
      update(Array.from({ length: 65 }, (_, index) => ({ op: 'set', key: `k${index}`, value: 1 }))),
      set('plugin', 'large', 'x'.repeat(1024 * 1024)),
    );
    const kinds = answers.map((answer) => (answer as Partial<Refusal>).data?.kind ?? answer);
    assert.deepEqual(kinds, [
      { version: 1 },
      'version_conflict',
      'version_conflict',
      { value: null, version: 0 },
      { versions: [1, 1, 0] },
      { items: [{ key: 'b', version: 1 }] },
      { version: 0 },
      'invalid_params',
      'invalid_params',
      'quota_exceeded',
    ]);
    assert.deepEqual((answers[1] as Refusal).data.details, { key: 'a', version: 1 });
  },
);

test('each scope needs its own permission, checked at each call; its own is there by default', confined, async (t) => {
  const { host } = await fixtureHost(
    t,
    [
      { behaviour: 'asks-the-host', more: every, grant: ['state=project'] },
      { behaviour: 'asks-the-host', name: 'asks_nothing' },
    ].map((fixture) => ({
      ...fixture,
      more: (fixture as { more?: string }).more?.replaceAll('reason', 'optional = true\nreason') ?? '',
    })),
    {
      project: project(t),
    },
  );
  const [own, shared, everywhere] = await ask(
    host,
    'asks_the_host',
    ...['plugin', 'project', 'global'].map((scope) => set(scope, 'k', 1)),
  );
  assert.deepEqual([own, shared], [{ version: 1 }, { version: 1 }]);
  assert.equal((everywhere as Refusal).data.kind, 'permission_denied');
  assert.match((everywhere as Refusal).message, /state=global/);
  const [undeclared] = await ask(host, 'asks_nothing', set('plugin', 'k', 1));
  assert.equal((undeclared as Refusal).data.kind, 'permission_denied');
  assert.ok(host.audit.list({ action: 'refused' }).some(({ detail }) => detail.permission === 'state=global'));
  const { permissions } = await host.permissions('asks_the_host');
  assert.equal(permissions.find(({ key }) => key === 'state=project')?.used?.uses, 1);
});

test('its user reads, writes and deletes what plugins keep, by the library and by the command', confined, async (t) => {
  const folder = project(t);
  const { host, home } = await two(t, { project: folder });
  assert.equal(await host.state.set({ plugin: 'keeps_one' }, 'k', { snakeCase: 1 }), 1);
  assert.deepEqual(await ask(host, 'keeps_one', get('plugin', 'k')), [{ value: { snakeCase: 1 }, version: 1 }]);
  await assert.rejects(
    host.state.set({ plugin: 'keeps_one' }, 'k', 2, { ifVersion: 5 }),
    (error) => MmmError.is(error, 'STATE_CONFLICT') && error.data.version === 1,
  );
  await assert.rejects(host.state.get('elsewhere' as 'global', 'k'), /place must be/);
  await assert.rejects(host.state.get({ plugin: 'nobody' }, 'k'), (error) => MmmError.is(error, 'PLUGIN_NOT_FOUND'));
  await host.state.set('project', 'shared', [1]);
  assert.deepEqual(await ask(host, 'keeps_two', get('project', 'shared')), [{ value: [1], version: 1 }]);

  const run = (...words: string[]) => mmm({ home, cwd: folder }, 'state', ...words);
  const shown = await run('get', 'k', '--plugin', 'keeps_one', '--json');
  assert.deepEqual(shown.json(), { key: 'k', value: { snakeCase: 1 }, version: 1 });
  const text = await run('set', '--project', 'word', '--string', 'true');
  assert.match(text.stdout, /version 1/);
  assert.equal((await run('get', '--project', 'word')).stdout, 'true\n');
  assert.match((await run('list', '--project')).stdout, /shared +1\nword +1/);
  const conflict = await run('delete', '--project', 'word', '--if-version', '4', '--json');
  assert.equal(conflict.code, 1);
  assert.deepEqual((conflict.json().error as { name: string }).name, 'STATE_CONFLICT');
  assert.equal((await run('delete', '--project', 'word')).code, 0);
  assert.equal((await run('get', '--project', 'word')).code, 5);
  assert.equal((await run('get', 'word')).code, 2);
  assert.equal((await run('set', '--global', 'k', 'not json')).code, 2);
});

test('a removal takes what the plugin kept for itself with it, unless its data is kept', confined, async (t) => {
  const { host, directory } = await two(t);
  const folder = join(directory, 'keeps_one');
  const own = { plugin: 'keeps_one' };
  await ask(host, 'keeps_one', set('plugin', 'k', 1), set('global', 'k', 1));
  await host.remove('keeps_one', { keepData: true });
  await host.install(folder, { grantRequested: true });
  assert.equal((await host.state.get(own, 'k')).version, 1);
  await host.remove('keeps_one');
  await host.install(folder, { grantRequested: true });
  assert.deepEqual(await host.state.get(own, 'k'), { value: null, version: 0 });
  assert.equal((await host.state.get('global', 'k')).version, 1);
});

test('an author on the SDK counts with versions and loses no call of two at once', confined, async (t) => {
  const file = join(tempFolder(t), 'main.cjs');
  await bundlePlugin(
    `
    import { definePlugin, PluginError, runPlugin } from '@mmm/plugin-sdk';
    runPlugin(definePlugin({
      tools: {
        run: {
          async execute(_input, { state, globalState }) {
            for (;;) {
              const { value = 0, version } = await state.read('count');
              try {
                await state.set('count', value + 1, { ifVersion: version });
                await globalState.update([{ op: 'set', key: 'last', value: value + 1 }]);
                return { count: value + 1, keys: (await state.list()).map(({ key }) => key) };
              } catch (error) {
                if (error.data?.kind !== 'version_conflict') throw error;
              }
            }
          },
        },
      },
    }));
    `,
    file,
  );
  const { host } = await fixtureHost(t, [
    { behaviour: 'asks-the-host', name: 'counts', more: every, files: { 'main.cjs': file } },
  ]);
  const plugin = await host.plugin('counts');
  const calls = Array.from({ length: 20 }, () => plugin.execute<{ count: number; keys: string[] }>('run', {}));
  const answers = (await Promise.all(calls)).map(({ output }) => output);
  assert.deepEqual(
    answers.map(({ count }) => count).sort((left, right) => left - right),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  assert.deepEqual(answers[0]?.keys, ['count']);
  assert.equal((await host.state.get({ plugin: 'counts' }, 'count')).value, 20);
  const { storedValues } = await host.info('counts');
  assert.deepEqual(storedValues, { keys: 1, bytes: 'count'.length + '20'.length });
  const { checks } = await host.diagnose('counts');
  assert.match(checks.find(({ name }) => name === 'stored values')?.message ?? '', /^1 of 10000 keys/);
});
