import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { systemClock } from '@mmm/rpc';
import { mmm } from '../support/cli.ts';
import { runDaemonProcess } from '../support/daemon.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const rounds = 20;
const folders = Array.from({ length: 80 }, (_each, index) => `/srv/pictures-${index}`);
const permissions = folders
  .map((path) => `[[permissions.filesystem]]\npath = "${path}"\naccess = "read"\nreason = "Shows pictures"\n`)
  .join('');

/** Some turns of the event loop: the daemon goes on meanwhile, and is met at a point that nobody chose. */
async function someTurns(): Promise<void> {
  for (let turn = randomInt(0, 3000); turn > 0; turn -= 1) {
    await new Promise<void>((resolve) => systemClock.immediate(resolve));
  }
}

test('a daemon that is killed at any moment under load is followed by one that has all it acknowledged', async (t) => {
  const pet = { behaviour: 'echo', name: 'pet', more: permissions, grant: [] };
  const { host, home, directory } = await fixtureHost(t, ['echo', pet]);
  await host.close();
  const run = (...argv: string[]) => mmm({ home, cwd: directory }, ...argv, '--json');
  const left = folders.map((path) => `filesystem=read:${path}`);
  const acknowledged: string[] = [];
  let daemon = await runDaemonProcess(t, home);
  for (let round = 0; round < rounds; round += 1) {
    let isOver = false;
    const calling = async (): Promise<void> => {
      while (!isOver) await run('plugin', 'exec', 'echo', 'run', '--input', '1');
    };
    const granting = async (): Promise<void> => {
      for (let count = randomInt(1, 4); count > 0; count -= 1) {
        const key = left.shift() ?? '';
        const { code, stdout } = await run('plugin', 'grant', 'pet', key);
        const wasDone = code === 0 || (JSON.parse(stdout) as { granted?: string[] }).granted?.includes(key) === true;
        if (wasDone) acknowledged.push(key);
      }
    };
    const work = [calling(), granting()];
    await someTurns();
    isOver = true;
    await daemon.kill();
    await Promise.all(work);
    daemon = await runDaemonProcess(t, home);
    const verified = await run('audit', 'verify');
    assert.equal(verified.json().intact, true, `round ${round}: ${verified.stdout}`);
    const shown = (await run('plugin', 'permissions', 'pet')).json() as {
      permissions: { key: string; status: string }[];
    };
    const granted = new Set(shown.permissions.filter(({ status }) => status === 'granted').map(({ key }) => key));
    for (const key of acknowledged) assert.ok(granted.has(key), `round ${round}: ${key} was granted`);
    const { entries } = (
      await run('audit', 'list', '--plugin', 'pet', '--action', 'grant', '--limit', '1000')
    ).json() as {
      entries: { detail: { permissions: string[] } }[];
    };
    const recorded = new Set(entries.flatMap(({ detail }) => detail.permissions));
    for (const key of granted) assert.ok(recorded.has(key), `round ${round}: ${key} is in the audit log`);
    const called = await run('plugin', 'exec', 'echo', 'run', '--input', '2');
    assert.equal(called.json().output, 2, `round ${round}: ${called.stdout}`);
  }
  assert.ok(acknowledged.length >= rounds / 2, `only ${acknowledged.length} grants were acknowledged`);
});
