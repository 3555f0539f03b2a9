import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type Host, type HostOptions, MmmError } from '@mmm/host';
import { tempFolder } from '../../support/temp-folder.ts';

/** The fields that were refused, with why. */
async function refused(action: () => unknown): Promise<string[]> {
  try {
    await action();
  } catch (error) {
    assert.ok(MmmError.is(error, 'CONFIG_INVALID'), String(error));
    for (const { path, message } of error.data.issues) assert.ok(error.message.includes(`${path} ${message}`));
    return error.data.issues.map(({ path, message }) => `${path} ${message}`);
  }
  throw new Error('It was not refused.');
}

async function openHost(t: TestContext): Promise<Host> {
  const host = await createHost({ home: join(tempFolder(t), 'home') });
  t.after(() => host.close());
  return host;
}

/** A slip of a program without types. */
const wrong = <T>(value: unknown): T => value as T;

test('options of a host that are not what they must be are refused by name', async () => {
  const cases: readonly [unknown, string[]][] = [
    [undefined, ['options is required']],
    [{}, ['options.home is required']],
    [{ home: 5 }, ['options.home must be string']],
    [{ home: '/h', hoem: '/h' }, ['options.hoem is not a known field; did you mean home?']],
    [{ home: '/h', project: 'here' }, ['options.project must be an absolute path']],
    [{ home: '/h', sandboxNoneFor: 'all' }, ['options.sandboxNoneFor must be array']],
    [{ home: '/h', environment: { A: 1 } }, ['options.environment.A must be string']],
    [{ home: '/h', prompter: () => 'once' }, ['options.prompter must be an object with ask()']],
    [
      { home: '/h', onLog: true, random: 0.5 },
      ['options.onLog must be a function', 'options.random must be a function'],
    ],
    [
      { home: '/h', searchPath: [{ directory: '/p', origin: 'home' }] },
      [
        'options.searchPath.0.origin must be one of "registered", "installed", "project", "user", "system", "path", ' +
          '"development"',
      ],
    ],
    [
      { home: '/h', development: { directory: '/p', grantRequest: true } },
      ['options.development.grantRequest is not a known field; did you mean grantRequested?'],
    ],
    [{ home: '/h', policy: { allow: ['network'] } }, ['options.policy.allow is not a known field']],
    [
      { home: '/h', caller: { kind: 'me', id: 'me' } },
      ['options.caller.kind must be one of "cli", "daemon", "plugin", "mapping", "mcp", "host"'],
    ],
  ];
  for (const [options, expected] of cases) {
    assert.deepEqual(await refused(() => createHost(wrong<HostOptions>(options))), expected);
  }
});

test('the real environment of a process is taken as it is', async (t) => {
  const environment = process.env as Readonly<Record<string, string>>;
  const host = await createHost({ home: join(tempFolder(t), 'home'), environment });
  await host.close();
});

test('arguments that are not what they must be are refused by name, before anything is done', async (t) => {
  const host = await openHost(t);
  const cases: readonly [() => unknown, string[]][] = [
    [() => host.plugin(wrong(undefined)), ['id is required']],
    [() => host.info(wrong(7)), ['id must be string']],
    [() => host.enable(wrong(null)), ['id must be string']],
    [() => host.statistics(wrong({})), ['id must be string']],
    [() => host.unregister(wrong([])), ['id must be string']],
    [() => host.install('hello'), ['path must be an absolute path']],
    [() => host.install('/p', wrong({ grantAll: true })), ['options.grantAll is not a known field']],
    [() => host.install('/p', wrong({ grant: 'network' })), ['options.grant must be array']],
    [() => host.sign('hello'), ['path must be an absolute path']],
    [() => host.grant('hello', wrong('network=h')), ['keys must be array']],
    [() => host.revoke('hello', wrong([1])), ['keys.0 must be string']],
    [
      () => host.remove('hello', wrong({ keepdata: true })),
      ['options.keepdata is not a known field; did you mean keepData?'],
    ],
    [() => host.logs('hello', { lines: 0 }), ['options.lines must be at least 1']],
    [() => host.setConfig('hello', wrong({ sets: {} })), ['change.sets is not a known field; did you mean set?']],
    [() => host.createKey(wrong(undefined)), ['name is required']],
    [() => host.trustKey(wrong({ publicKey: 'x', name: 'n' })), ['key.scopes is required']],
    [() => host.revokeKey('k', wrong(undefined)), ['reason is required']],
    [() => host.register(wrong(undefined)), ['plugin is required']],
    [() => host.register(wrong({ manifest: {} })), ['plugin.serve must be a function']],
    [
      () => host.register(wrong({ manifest: 'x', serve: 1 })),
      ['plugin.manifest must be object', 'plugin.serve must be a function'],
    ],
  ];
  for (const [action, expected] of cases) assert.deepEqual(await refused(action), expected, String(action));
});

test('the statistics of a plugin that nobody knows are an error, as its facts are', async (t) => {
  const host = await openHost(t);
  await assert.rejects(host.statistics('nobody'), (error) => MmmError.is(error, 'PLUGIN_NOT_FOUND'));
  await assert.rejects(host.info('nobody'), (error) => MmmError.is(error, 'PLUGIN_NOT_FOUND'));
});
