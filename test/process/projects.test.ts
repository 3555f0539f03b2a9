// Takes seconds: a real plugin reads and changes the specifications of a project.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { Host } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Answer {
  readonly error?: { readonly code: number; readonly message: string; readonly data: { details?: unknown } };
  readonly spec?: { readonly status: string; readonly title: string };
}

async function ask<T = Answer>(host: Host, plugin: string, method: string, params = {}): Promise<T> {
  return (await (await host.plugin(plugin)).execute<T>('run', { ask: { method, params } })).output;
}

const permission = (access: string) => `[[permissions.project]]\naccess = "${access}"\n`;
const plugins = [
  { behaviour: 'talks', name: 'reader', more: permission('read') },
  { behaviour: 'talks', name: 'writer', more: permission('write') },
  { behaviour: 'talks', name: 'nobody' },
];

test('a plugin reads and changes specifications as far as it was granted', confined, async (t) => {
  const project = tempFolder(t);
  mkdirSync(join(project, 'specs'));
  const file = join(project, 'specs', 'login.md');
  writeFileSync(file, '---\r\nstatus: draft # Ada\r\n---\r\n# Log in\r\n');
  writeFileSync(join(project, 'secret.md'), '---\nstatus: secret\n---\n');
  symlinkSync(join(project, 'secret.md'), join(project, 'specs', 'link.md'));
  const { host } = await fixtureHost(t, plugins, { project });
  assert.deepEqual(await ask(host, 'reader', 'get_current_project'), {
    project: { name: basename(project), path: project },
  });
  const { spec } = await ask(host, 'reader', 'get_spec', { name: 'login' });
  assert.deepEqual([spec?.status, spec?.title], ['draft', 'Log in']);
  const change = { name: 'login', status: 'done' };
  assert.equal((await ask(host, 'reader', 'update_spec_status', change)).error?.code, -32051);
  assert.equal((await ask(host, 'nobody', 'get_current_project')).error?.code, -32051);
  assert.equal((await ask(host, 'nobody', 'get_spec', { name: 'login' })).error?.code, -32051);
  assert.deepEqual(await ask(host, 'writer', 'update_spec_status', change), {});
  assert.equal(readFileSync(file, 'utf8'), '---\r\nstatus: done # Ada\r\n---\r\n# Log in\r\n');
  for (const name of ['../secret', 'link', 'missing', '/etc/passwd']) {
    for (const method of ['get_spec', 'update_spec_status']) {
      const { error } = await ask(host, 'writer', method, { name, status: 'x' });
      assert.equal(error?.code, -32602, `${method} ${name}`);
    }
  }
  assert.equal(readFileSync(join(project, 'secret.md'), 'utf8'), '---\nstatus: secret\n---\n');
});

test('without a project there is none, and no specification', confined, async (t) => {
  const { host } = await fixtureHost(t, plugins);
  assert.deepEqual(await ask(host, 'reader', 'get_current_project'), { project: null });
  assert.match((await ask(host, 'reader', 'get_spec', { name: 'x' })).error?.message ?? '', /works in no project/);
});
