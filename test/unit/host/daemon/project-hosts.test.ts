import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Host } from '@mmm/host';
import { ProjectHosts } from '../../../../packages/host/src/daemon/project-hosts.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const named = { id: 'reader', manifest: { permissions: { filesystem: [{ path: ['$', '{project}'].join('') }] } } };
const plain = { id: 'plain', manifest: { permissions: {} } };

function hosts(t: Parameters<typeof tempFolder>[0], plugins: readonly object[] = [plain]) {
  const directory = tempFolder(t);
  const clock = new FakeClock();
  const opened: string[] = [];
  const closed: string[] = [];
  const host = (name: string): Host => {
    const parts = {
      home: join(directory, 'home'),
      discover: async () => ({ plugins }),
      close: async () => closed.push(name),
    };
    return parts as unknown as Host;
  };
  const primary = host('primary');
  const open = async (project: string): Promise<Host> => {
    opened.push(project);
    return host(project);
  };
  return { directory, clock, opened, closed, primary, projects: new ProjectHosts({ primary, clock, open }) };
}

test('what has nothing to do with the folder of a client is done by the one host of the daemon', async (t) => {
  const { projects, primary, opened } = hosts(t);
  for (const about of [{ kind: 'host' }, { kind: 'any_plugin' }, { kind: 'plugin', plugin: 'plain' }] as const) {
    assert.equal((await projects.lend('/work', about)).host, primary);
  }
  assert.deepEqual(opened, []);
});

test('a plugin that names the project, hooks that may, and its own state get a host of that folder', async (t) => {
  const { projects, primary, opened } = hosts(t, [plain, named]);
  const lent = await projects.lend('/work', { kind: 'plugin', plugin: 'reader' });
  assert.notEqual(lent.host, primary);
  assert.equal((await projects.lend('/work', { kind: 'any_plugin' })).host, lent.host);
  assert.equal((await projects.lend('/work', { kind: 'project' })).host, lent.host);
  assert.equal((await projects.lend('/work', { kind: 'plugin', plugin: 'plain' })).host, primary);
  assert.equal((await projects.lend(undefined, { kind: 'plugin', plugin: 'reader' })).host, primary);
  assert.deepEqual(opened, ['/work']);
});

test('a folder with plugins of its own gets a host for everything, and the home of mmm is none', async (t) => {
  const { projects, primary, directory, opened } = hosts(t);
  const project = join(directory, 'project');
  mkdirSync(join(project, '.mmm/plugins'), { recursive: true });
  assert.notEqual((await projects.lend(project, { kind: 'host' })).host, primary);
  mkdirSync(join(directory, 'home/plugins'), { recursive: true });
  assert.equal((await projects.lend(directory, { kind: 'host' })).host, primary);
  assert.deepEqual(opened, [project]);
});

test('the host of a project is closed some time after its last call, and not during one', async (t) => {
  const { projects, clock, closed } = hosts(t);
  const first = await projects.lend('/work', { kind: 'project' });
  await clock.advance(hostLimits.projectHostIdleMs * 2);
  assert.deepEqual(closed, []);
  first.release();
  await clock.advance(hostLimits.projectHostIdleMs - 1);
  const second = await projects.lend('/work', { kind: 'project' });
  await clock.advance(hostLimits.projectHostIdleMs);
  assert.deepEqual(closed, []);
  second.release();
  await clock.advance(hostLimits.projectHostIdleMs);
  await settled();
  assert.deepEqual(closed, ['/work']);
});

test('of too many the one that was not used for longest is closed', async (t) => {
  const { projects, closed } = hosts(t);
  const lend = async (index: number) => (await projects.lend(`/work-${index}`, { kind: 'project' })).release();
  for (let index = 0; index < hostLimits.projectHosts; index += 1) await lend(index);
  await lend(0);
  await lend(hostLimits.projectHosts);
  await settled();
  assert.deepEqual(closed, ['/work-1']);
});

test('a host that cannot be opened is tried again by the next call', async (t) => {
  const { primary, clock } = hosts(t);
  let tries = 0;
  const open = async (): Promise<Host> => {
    tries += 1;
    if (tries === 1) throw new Error('no');
    return primary;
  };
  const projects = new ProjectHosts({ primary, clock, open });
  await assert.rejects(projects.lend('/work', { kind: 'project' }), /no/);
  assert.equal((await projects.lend('/work', { kind: 'project' })).host, primary);
});
