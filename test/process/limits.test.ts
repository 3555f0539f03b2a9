import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type Host } from '@mmm/host';
import { type EndingLimit, MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';
import { compileFixture, hasCompiler } from '../support/native-program.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';
import { tempFolder } from '../support/temp-folder.ts';

const hasPython = spawnSync('/usr/bin/python3', ['--version']).status === 0;
const withPython = hasPython ? confined : { skip: 'there is no /usr/bin/python3 here' };
const python = ['python3', 'main.py'];
const limited = (limits: string) => ({ more: `[limits]\n${limits}\n[restart]\npolicy = "never"\n` });

interface Breach {
  readonly kind: EndingLimit;
  readonly names: RegExp;
}

/** Calls it, expects it to be ended for that limit, and that its log, its statistics and the audit log say so. */
async function endsFor(t: TestContext, fixture: Fixture, input: unknown, { kind, names }: Breach): Promise<Host> {
  const { host, home } = await fixtureHost(t, [fixture]);
  const [{ id = '' } = {}] = await host.list();
  const plugin = await host.plugin(id);
  await plugin.start();
  await assert.rejects(plugin.execute('run', input, { timeoutMs: 120_000 }), (error) => {
    if (!MmmError.is(error, 'PLUGIN_EXITED')) throw error;
    assert.equal(error.data.reason.kind, kind, error.message);
    assert.match(error.message, names);
    assert.match(error.message, new RegExp(`in \\[limits\\.plugins\\.${id}\\] of config\\.toml|delete what it does`));
    return true;
  });
  const { exits, lastExits } = await host.statistics(id);
  assert.deepEqual(exits, { [kind]: 1 });
  assert.match(lastExits[0]?.detail ?? '', names);
  const lines = await host.logs(id);
  assert.equal(
    lines.some(({ stream, message }) => stream === 'host' && names.test(message)),
    true,
  );
  const audited = readFileSync(join(home, 'audit', 'audit.jsonl'), 'utf8');
  assert.match(audited, /"action":"limit"/);
  return host;
}

const memory: Breach = { kind: 'memory', names: /went over its limit of memory: .*128/ };
const small = limited('memory_mb = 128');

for (const how of ['heap', 'buffers']) {
  test(`a plugin that takes memory without end in JavaScript (${how}) is ended for that`, confined, async (t) => {
    // V8 that is refused memory dies of a signal, most often without a word: only who looked knows why.
    const input = { how, step_mb: 8, most_mb: 4_000, pause_ms: 20 };
    await endsFor(t, { behaviour: 'hogs-memory-javascript', ...small }, input, memory);
  });
}

test('a plugin that takes memory without end in Python is ended for that', withPython, async (t) => {
  await endsFor(
    t,
    { behaviour: 'hogs-memory-python', command: python, ...small },
    { step_mb: 8, most_mb: 4_000 },
    memory,
  );
});

test('memory that no limit of a process counts is counted', withPython, async (t) => {
  const input = { step_mb: 16, most_mb: 1_000, shared: true, pause_s: 0.01 };
  await endsFor(t, { behaviour: 'hogs-memory-python', command: python, ...small }, input, memory);
});

test('processes that are each within the limit are ended when they are over it together', withPython, async (t) => {
  const input = { processes: 4, step_mb: 4, most_mb: 60, pause_s: 0.01 };
  await endsFor(t, { behaviour: 'hogs-memory-python', command: python, ...small }, input, memory);
});

test('memory that processes share counts once', withPython, async (t) => {
  const { host } = await fixtureHost(t, [{ behaviour: 'hogs-memory-python', command: python, ...small }]);
  const plugin = await host.plugin('hogs_memory_python');
  // Five processes of 60 MB that are one and the same: looked at several times before the answer comes.
  const input = { before_mb: 60, processes: 4, step_mb: 1, most_mb: 1, wait_s: 1.5 };
  assert.equal((await plugin.execute('run', input)).output, 1);
});

const withCompiler = hasCompiler ? confined : { skip: 'there is no C compiler here' };
test('a fork bomb stays under its limit and is ended for it', withCompiler, async (t) => {
  const main = join(tempFolder(t), 'main');
  compileFixture('forks-without-end', main);
  const fixture = {
    behaviour: 'forks-without-end',
    command: ['./main'],
    files: { main },
    ...limited('processes = 48'),
  };
  // The fixture would stop by itself at 400 and end after 20 s.
  const input = { ceiling: 400, seconds: 20 };
  await endsFor(t, fixture, input, {
    kind: 'processes',
    names: /limit of processes: it started processes without end, .* 48 it may have/,
  });
});

test('a plugin that uses more processor time than it may is ended for that', withPython, async (t) => {
  const fixture = { behaviour: 'spins', command: python, ...limited('cpu = 0.25') };
  await endsFor(t, fixture, { seconds: 100 }, { kind: 'cpu', names: /limit of processor time: .* may use 0\.25/ });
});

const filler = { behaviour: 'fills-disk', command: python, ...limited('disk_mb = 24') };
test('a plugin whose data folder grows beyond its limit is ended for that', withPython, async (t) => {
  const input = { files: 8, file_mb: 8, pause_s: 0.05, wait_s: 20 };
  await endsFor(t, filler, input, {
    kind: 'disk',
    names: /limit of disk space: its data folder has \d+ MB and may have 24/,
  });
});

test('a plugin cannot hide what it writes below folders too deep to be named', withPython, async (t) => {
  const input = { folders: 30, wait_s: 20 };
  const names = /limit of disk space: .*deeper than a path can name/;
  const host = await endsFor(t, filler, input, { kind: 'disk', names });
  // No path leads to what it made: only what goes down step by step can remove it.
  await host.remove('fills_disk');
});

test('a plugin that is over its disk limit can start again to tidy up', withPython, async (t) => {
  const { host } = await fixtureHost(t, [filler]);
  const plugin = await host.plugin('fills_disk');
  await assert.rejects(plugin.execute('run', { files: 5, file_mb: 8, wait_s: 20 }, { timeoutMs: 120_000 }));
  plugin.reset();
  assert.equal((await plugin.execute('run', { wait_s: 3 })).output, 'filled');
  assert.equal((await plugin.execute('run', { tidy: true })).output, 'tidied');
});

test('the settings decide over a manifest, and a manifest gets no more than they allow', withPython, async (t) => {
  const fixture = { behaviour: 'hogs-memory-python', command: python, ...limited('memory_mb = 4000') };
  const { host, home } = await fixtureHost(t, [fixture]);
  await host.close();
  const refusedWith = async (settings: string, names: RegExp) => {
    writeFileSync(join(home, 'config.toml'), settings, { mode: 0o600 });
    const other = await createHost({ home });
    t.after(() => other.close());
    const plugin = await other.plugin('hogs_memory_python');
    await assert.rejects(plugin.execute('run', { step_mb: 8, most_mb: 1_000 }), names);
    await other.close();
  };
  await refusedWith('[limits.max]\nmemory_mb = 96\n', /the 96 MB it may have/);
  await refusedWith(
    '[limits]\nmax.memory_mb = 96\n[limits.plugins.hogs_memory_python]\nmemory_mb = 160\n',
    /the 160 MB/,
  );
});

test('calls beyond the number a second are refused with the time to wait', confined, async (t) => {
  const { host } = await fixtureHost(t, [{ behaviour: 'echo', ...limited('calls_per_second = 2') }]);
  const plugin = await host.plugin('echo');
  await plugin.start();
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map((input) => plugin.execute('run', { input })));
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'rejected'],
  );
  const [, , refused] = outcomes;
  const reason: unknown = refused?.status === 'rejected' ? refused.reason : undefined;
  if (!MmmError.is(reason, 'RATE_LIMITED')) throw reason;
  assert.equal(reason.data.callsPerSecond, 2);
  assert.equal(reason.data.retryAfterMs > 0 && reason.data.retryAfterMs <= 500, true);
});

test('limits hold for an ordinary user too', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.equal(passed, true, output);
});
