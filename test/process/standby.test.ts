import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { createHost, type Host, type HostOptions, type LogLine, systemClock } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { descendantsOf, stillRunning } from '../support/descendants.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** Lets a test wait for a line of the log, from the moment it is made. */
function lines() {
  const seen: string[] = [];
  let wake: () => void = () => undefined;
  const onLog = (_plugin: string, { message }: LogLine): void => {
    seen.push(message);
    wake();
  };
  /** The next line that was not waited for yet and has this text. */
  const until = async (text: string): Promise<void> => {
    for (;;) {
      const index = seen.findIndex((line) => line.includes(text));
      if (index >= 0) return void seen.splice(0, index + 1);
      // Nothing else need keep this process alive: the timers of spares do not.
      const alive = systemClock.after(60_000, () => wake());
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      alive.cancel();
    }
  };
  return { onLog, until };
}

async function machine(t: Pick<TestContext, 'after'>, fixture: Fixture, options: Partial<HostOptions> = {}) {
  const log = lines();
  const { host } = await fixtureHost(t, [fixture], { ...options, onLog: log.onLog });
  const plugin = await host.plugin(fixture.name ?? fixture.behaviour.replaceAll('-', '_'));
  return { host, plugin, ready: () => log.until('a spare process is ready') };
}

const standby = (kind: string, more = ''): Fixture => ({
  behaviour: 'crashes-on-execute',
  manifest: `schema = 1

[plugin]
name = "crashes_on_execute"
version = "1.0.0"
description = "A fixture"
license = "MIT"
command = ["node", "main.cjs"]
standby = "${kind}"

[[capabilities]]
kind = "tool"
name = "run"
${more}`,
});

/** Every process that was started for the plugin, spares included. */
function launches(host: Host): number {
  return host.audit.list().filter(({ action }) => action === 'launch').length;
}

/** What a namespace held ends a moment after its first process. */
async function allGone(processes: ReturnType<typeof descendantsOf>): Promise<void> {
  assert.ok(processes.length > 0);
  while (stillRunning(processes).length > 0) await systemClock.sleep(5);
}

for (const kind of ['loaded', 'initialized']) {
  test(`a spare that is ${kind} is taken by the first call and by the call after a crash`, confined, async (t) => {
    const { host, plugin, ready } = await machine(t, standby(kind));
    await ready();
    assert.equal(plugin.pid, null, 'it is not the plugin yet');
    assert.equal((await plugin.execute('run', 'first')).output, 'first');
    await ready();
    assert.equal(launches(host), 2, 'no third process was started for the call');
    const { pid } = plugin;
    await assert.rejects(plugin.execute('run', { signal: 'SIGSEGV' }), /SIGSEGV/);
    assert.equal((await plugin.execute('run', 'second')).output, 'second');
    assert.notEqual(plugin.pid, pid);
    assert.equal(launches(host), 2);
  });

  test(
    `a spare that is ${kind} ends with the plugin, when it is stopped and when the host is closed`,
    confined,
    async (t) => {
      const others = new Set(descendantsOf(process.pid).map(({ pid }) => pid));
      const { host, plugin, ready } = await machine(t, standby(kind));
      await plugin.start();
      await ready();
      const before = descendantsOf(process.pid).filter(({ pid }) => !others.has(pid));
      await plugin.stop();
      await allGone(before);
      await plugin.start();
      await ready();
      const again = descendantsOf(process.pid).filter(({ pid }) => !others.has(pid));
      await host.close();
      await allGone(again);
    },
  );
}

test('a spare made before a grant was taken back is never used', confined, async (t) => {
  const folder = tempFolder(t);
  chmodSync(folder, 0o755);
  const key = `filesystem=read:${folder}`;
  const reads = `\n[[permissions.filesystem]]\npath = "${folder}"\naccess = "read"\nreason = "r"\noptional = true\n`;
  const { host, plugin, ready } = await machine(t, standby('initialized', reads));
  await host.grant(plugin.id, [key]);
  await plugin.start();
  await ready();
  const made = launches(host);
  const before = new Set(descendantsOf(process.pid).map(({ pid }) => pid));
  // As another process would, whether this host hears of it soon or not.
  const other = await createHost({ home: host.home });
  t.after(() => other.close());
  await other.revoke(plugin.id, [key]);
  const { pid } = plugin;
  if (pid !== null) process.kill(pid, 'SIGKILL');
  let output: unknown;
  // The kill, or the stop for the revocation, may meet the call; and the dying process may answer what it had read.
  while (output !== 'again' || plugin.pid === pid) {
    output = await plugin.execute('run', 'again').then(
      (answer) => answer.output,
      () => undefined,
    );
  }
  assert.ok(!before.has(plugin.pid ?? 0), 'a process of its own was started');
  const later = host.audit.list().filter(({ action }) => action === 'launch');
  assert.ok(later.length > made);
  for (const { detail } of later.slice(made)) assert.deepEqual(detail?.permissions, []);
});

test(
  'a plugin that somebody would have to be asked for gets no spare, and nobody is asked for one',
  confined,
  async (t) => {
    const folder = tempFolder(t);
    const log = lines();
    let asked = 0;
    const fixture = standby(
      'initialized',
      `\n[[permissions.filesystem]]\npath = "${folder}"\naccess = "read"\nreason = "r"\n`,
    );
    const { host } = await fixtureHost(t, [{ ...fixture, grant: [] }], {
      onLog: log.onLog,
      prompter: {
        ask: () => {
          asked += 1;
          return Promise.resolve('always' as const);
        },
      },
    });
    await host.plugin('crashes_on_execute');
    await log.until('no spare process could be started');
    assert.equal(asked, 0);
  },
);

for (const kind of ['loaded', 'initialized']) {
  test(`a spare that is ${kind} ends when its key is revoked`, confined, async (t) => {
    const others = new Set(descendantsOf(process.pid).map(({ pid }) => pid));
    const { host, ready } = await machine(t, standby(kind));
    await ready();
    const before = descendantsOf(process.pid).filter(({ pid }) => !others.has(pid));
    await host.revokeKey('test', 'stolen');
    await allGone(before);
  });
}
