import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { createHost } from '@mmm/host';
import { systemClock } from '@mmm/rpc';
import { ProcessRecords } from '../../packages/host/src/processes/process-records.ts';
import { reapOrphans } from '../../packages/host/src/spawn/reap-orphans.ts';
import { descendantsOf, stillRunning } from '../support/descendants.ts';
import { tempFolder } from '../support/temp-folder.ts';

const python = existsSync('/usr/bin/python3') ? {} : { skip: 'there is no /usr/bin/python3 here' };
const support = join(import.meta.dirname, '..', 'support');
const bundle = join(import.meta.dirname, '..', 'fixtures', 'plugins', 'leaves-grandchildren');

interface Orphans {
  readonly home: string;
  readonly host: ChildProcess;
  /** The plugin and the grandchild that left its session. */
  readonly processes: ReturnType<typeof descendantsOf>;
}

/** A plugin of a host that has neither a namespace nor a signal to tie it to. */
async function startUntied(t: TestContext, home: string, name: string): Promise<Orphans> {
  const data = join(home, 'data', name);
  mkdirSync(data, { recursive: true });
  const host = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=mmm-source', join(support, 'orphaning-host.ts')],
    {
      env: { ...process.env, FIXTURE: JSON.stringify({ run: join(home, 'run'), bundle, data }) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const known = new Set<number>();
  t.after(() => {
    host.kill('SIGKILL');
    for (const pid of known) killQuietly(pid);
  });
  const [line] = (await once(createInterface({ input: host.stdout }), 'line')) as [string];
  assert.equal(line, 'ready');
  const processes = [...descendantsOf(host.pid ?? 0), ...markedBy(data)];
  const unique = [...new Map(processes.map((entry) => [entry.pid, entry])).values()].filter(({ pid }) =>
    cmdline(pid).includes('main.py'),
  );
  for (const { pid } of unique) known.add(pid);
  return { home, host, processes: unique };
}

async function killHost({ host }: Orphans): Promise<void> {
  const exited = once(host, 'exit');
  host.kill('SIGKILL');
  await exited;
}

test('what a killed host left is gone after the next start, double-forked children included', python, async (t) => {
  const home = await openedHome(t);
  const orphans = await startUntied(t, home, 'one');
  assert.equal(orphans.processes.length, 2, 'the plugin and its grandchild');
  await killHost(orphans);
  assert.equal(stillRunning(orphans.processes).length, 2, 'nothing else ends them');
  await using _host = await createHost({ home });
  await gone(orphans);
  assert.deepEqual(records(home), []);
  const log = readFileSync(join(home, 'logs', 'leaves_grandchildren.jsonl'), 'utf8');
  assert.match(log, /ended 2 processes that a host that was killed had left/);
});

test('what left its session is gone when its plugin is stopped, where no namespace ends it', python, async (t) => {
  const home = await openedHome(t);
  const orphans = await startUntied(t, home, 'one');
  const [first] = orphans.processes.toSorted((a, b) => a.pid - b.pid);
  // The end of the first process only; its grandchild has neither its group nor its session.
  process.kill(first?.pid ?? 0, 'SIGKILL');
  await gone(orphans);
  assert.equal(orphans.host.exitCode, null, 'the host lives');
  assert.deepEqual(records(home), []);
});

test('what another host that lives has started is let alone', python, async (t) => {
  const home = await openedHome(t);
  const [dead, living] = [await startUntied(t, home, 'one'), await startUntied(t, home, 'two')];
  await killHost(dead);
  assert.deepEqual(reapOrphans(new ProcessRecords(join(home, 'run'))), [
    { plugin: 'leaves_grandchildren', processes: 2 },
  ]);
  await gone(dead);
  assert.equal(stillRunning(living.processes).length, 2);
  assert.equal(records(home).length, 1);
});

test('of two hosts that run one plugin the dead one costs the other nothing', python, async (t) => {
  const home = await openedHome(t);
  const dead = await startUntied(t, home, 'one');
  // The grandchild of the first one holds the lock; the second host needs no more than its first process here.
  const other = await startUntied(t, home, 'two');
  const [file = ''] = records(home).filter((name) => recordOf(home, name).host.pid === other.host.pid);
  const shared = { ...recordOf(home, file), home: join(home, 'data', 'one') };
  writeFileSync(join(home, 'run', file), JSON.stringify(shared));
  await killHost(dead);
  assert.deepEqual(reapOrphans(new ProcessRecords(join(home, 'run'))), [
    { plugin: 'leaves_grandchildren', processes: 1 },
  ]);
  assert.equal(stillRunning(other.processes).length, 2);
});

test('a process under a number that is used again is not ended', async (t) => {
  const home = await openedHome(t);
  const innocent = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.after(() => innocent.kill('SIGKILL'));
  const run = join(home, 'run');
  const recorded = new ProcessRecords(run).add('calculator', innocent.pid ?? 0, null);
  const [file = ''] = records(home);
  const record = recordOf(home, file);
  const deadHost = { ...record.host, startedAt: '1' };
  writeFileSync(
    join(run, file),
    JSON.stringify({ ...record, host: deadHost, process: { ...record.process, startedAt: '1' } }),
  );
  assert.deepEqual(reapOrphans(new ProcessRecords(run)), []);
  assert.deepEqual(records(home), [], 'a record of nothing is removed');
  // The control: with the time it was started at, it is.
  writeFileSync(join(run, file), JSON.stringify({ ...record, host: deadHost }));
  const exited = once(innocent, 'exit');
  assert.deepEqual(reapOrphans(new ProcessRecords(run)), [{ plugin: 'calculator', processes: 1 }]);
  assert.deepEqual(await exited, [null, 'SIGKILL']);
  recorded?.forget();
});

test('records of another kernel run are removed, those of another container are kept, half ones go', async (t) => {
  const home = await openedHome(t);
  const run = join(home, 'run');
  new ProcessRecords(run).add('calculator', process.pid, null);
  const [file = ''] = records(home);
  const record = recordOf(home, file);
  const deadHost = { ...record.host, startedAt: '1' };
  writeFileSync(join(run, 'process-boot.json'), JSON.stringify({ ...record, host: deadHost, boot: 'another' }));
  writeFileSync(join(run, 'process-other.json'), JSON.stringify({ ...record, host: deadHost, namespace: 'pid:[1]' }));
  writeFileSync(join(run, 'process-half.json'), JSON.stringify(record).slice(0, 40));
  assert.deepEqual(reapOrphans(new ProcessRecords(run)), [], 'not even this process, which all of them name');
  assert.deepEqual(records(home), [file, 'process-other.json'].toSorted());
});

async function openedHome(t: TestContext): Promise<string> {
  const home = join(tempFolder(t), 'home');
  await (await createHost({ home })).close();
  return home;
}

function records(home: string): string[] {
  return readdirSync(join(home, 'run'))
    .filter((name) => name.startsWith('process-'))
    .toSorted();
}

function recordOf(home: string, file: string) {
  return JSON.parse(readFileSync(join(home, 'run', file), 'utf8')) as {
    host: { pid: number; startedAt: string };
    process: { pid: number; startedAt: string };
  };
}

/** Those that have this HOME, whoever their parents are. */
function markedBy(home: string): ReturnType<typeof descendantsOf> {
  return descendantsOf(1).filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`HOME=${home}`);
    } catch {
      return false;
    }
  });
}

function cmdline(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone, as it should be.
  }
}

async function gone({ processes }: Orphans): Promise<void> {
  while (stillRunning(processes).length > 0) await new Promise<void>((resolve) => systemClock.immediate(resolve));
}
