import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type GroupFolder,
  MemoryGroups,
  parseOomKills,
  systemGroupFolder,
} from '../../../../packages/host/src/watchdog/memory-group.ts';

const files = {
  v1: ['cgroup.procs', 'memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', 'memory.oom_control'],
  v2: ['cgroup.procs', 'memory.max', 'memory.swap.max', 'memory.oom.group', 'memory.events'],
};
const owner = { pid: 4242, startedAt: '777' };

/** A folder that fills what is made in it, as the kernel does; `busy` groups cannot be removed. */
function looksLike(t: { after(f: () => void): void }, version: 'v1' | 'v2', parentFiles: Record<string, string>) {
  const parent = mkdtempSync(join(tmpdir(), 'groups-'));
  t.after(() => rmSync(parent, { recursive: true }));
  for (const [name, text] of Object.entries(parentFiles)) writeFileSync(join(parent, name), text);
  const busy = new Set<string>();
  const written: string[] = [];
  const folder: GroupFolder = {
    ...systemGroupFolder,
    make: (path) => {
      mkdirSync(path);
      for (const name of files[version]) writeFileSync(join(path, name), '');
    },
    remove: (path) => {
      if (busy.has(path)) throw new Error('EBUSY');
      rmSync(path, { recursive: true });
    },
    write: (path, text) => {
      systemGroupFolder.write(path, text);
      written.push(`${path.split('/').slice(-1)[0]}=${text}`);
    },
  };
  const groups = () => readdirSync(parent).filter((name) => name.startsWith('mmm-'));
  return { parent, folder, busy, written, groups };
}
const v1 = { 'memory.limit_in_bytes': '9223372036854771712\n' };
const v2 = { 'cgroup.subtree_control': 'cpu memory pids\n' };

test('a v2 group gets its limit, no swap, and ends as one', (t) => {
  const { parent, folder, written, groups } = looksLike(t, 'v2', v2);
  const opened = MemoryGroups.open(folder, parent, owner);
  assert.deepEqual(groups(), []);
  written.length = 0;
  const group = opened?.make(1000);
  assert.ok(group);
  assert.ok(group.join(17));
  assert.deepEqual(written, ['memory.max=1000', 'memory.swap.max=0', 'memory.oom.group=1', 'cgroup.procs=17']);
  writeFileSync(
    join(parent, groups()[0] ?? '', 'memory.events'),
    'low 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 1\n',
  );
  assert.equal(group.oomKills(), 2);
  group.end();
  assert.deepEqual(groups(), []);
});

test('a v1 group gets its limit for memory and for swap', (t) => {
  const { parent, folder, written, groups } = looksLike(t, 'v1', v1);
  const opened = MemoryGroups.open(folder, parent, owner);
  written.length = 0;
  const group = opened?.make(1000);
  assert.deepEqual(written, ['memory.limit_in_bytes=1000', 'memory.memsw.limit_in_bytes=1000']);
  writeFileSync(join(parent, groups()[0] ?? '', 'memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n');
  assert.equal(group?.oomKills(), 1);
});

test('no groups are used where the parent hands on no memory controller, or nothing is there', (t) => {
  const { parent, folder } = looksLike(t, 'v2', { 'cgroup.subtree_control': 'cpu pids\n' });
  assert.equal(MemoryGroups.open(folder, parent, owner), undefined);
  assert.equal(MemoryGroups.open(systemGroupFolder, join(parent, 'none'), owner), undefined);
});

test('no groups are used where a limit cannot be written, and nothing stays', (t) => {
  const { parent, folder, groups } = looksLike(t, 'v1', v2);
  assert.equal(MemoryGroups.open(folder, parent, owner), undefined);
  assert.deepEqual(groups(), []);
});

test('a group that is still busy is removed at the next look', (t) => {
  const { parent, folder, busy, groups } = looksLike(t, 'v2', v2);
  const opened = MemoryGroups.open(folder, parent, owner);
  const group = opened?.make(1000);
  const path = join(parent, groups()[0] ?? '');
  busy.add(path);
  group?.end();
  assert.equal(groups().length, 1);
  busy.delete(path);
  opened?.sweep(() => true);
  assert.deepEqual(groups(), []);
});

test('what a dead host left is removed, and nothing of a living one or of others', (t) => {
  const { parent, folder, groups } = looksLike(t, 'v2', v2);
  for (const name of ['mmm-7-10-1', 'mmm-8-10-1', 'mmm-else']) mkdirSync(join(parent, name));
  MemoryGroups.open(folder, parent, owner)?.sweep(({ pid, startedAt }) => pid === 8 && startedAt === '10');
  assert.deepEqual(groups().sort(), ['mmm-8-10-1', 'mmm-else']);
});

test('a count that is not told is none', () => {
  assert.equal(parseOomKills('oom_kill_disable 0\nunder_oom 0\n'), 0);
  assert.equal(parseOomKills('oom_group_kill 4\n'), 0);
});

test('a group that was still busy at its end is removed before the next one is made', (t) => {
  const { parent, folder, busy, groups } = looksLike(t, 'v2', v2);
  const opened = MemoryGroups.open(folder, parent, owner);
  const group = opened?.make(1000);
  const path = join(parent, groups()[0] ?? '');
  busy.add(path);
  group?.end();
  busy.delete(path);
  opened?.make(1000);
  assert.deepEqual(groups().includes(path.split('/').at(-1) ?? ''), false);
  assert.equal(groups().length, 1);
});
