import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { defaultLimits, type LimitValues } from '../../../../packages/host/src/settings/limits.ts';
import type { LimitBreach } from '../../../../packages/host/src/watchdog/breach.ts';
import type { FolderSize } from '../../../../packages/host/src/watchdog/folder-size.ts';
import { MemoryGrowth } from '../../../../packages/host/src/watchdog/memory.ts';
import { Watchdog } from '../../../../packages/host/src/watchdog/watchdog.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { FakeProcesses } from '../../../support/fake-processes.ts';

const mb = 1024 * 1024;

function world(processors = 2, size: () => FolderSize = () => ({ bytes: 0, entries: 0 })) {
  const clock = new FakeClock();
  const processes = new FakeProcesses();
  let free = 1000 * mb;
  let measured = 0;
  const watchdog = new Watchdog({
    clock,
    processes,
    processors,
    measureFolder: async () => {
      measured++;
      return size();
    },
    freeBytes: () => free,
  });
  return {
    clock,
    processes,
    watchdog,
    measured: () => measured,
    fill: (bytes: number) => {
      free -= bytes;
    },
  };
}

/** A plugin of sandbox (10, 11) and program (12), or of other numbers, that is watched. */
function watched(
  { watchdog, processes }: ReturnType<typeof world>,
  limits: Partial<LimitValues> = {},
  { pid = 10, dataDirectory, oomKills }: { pid?: number; dataDirectory?: string; oomKills?: () => number } = {},
) {
  processes.set(pid, { parent: 1 });
  processes.set(pid + 1, { parent: pid });
  processes.set(pid + 2, { parent: pid + 1 });
  const breaches: LimitBreach[] = [];
  const state = { busy: false };
  const watch = watchdog.add({
    plugin: `plugin${pid}`,
    pid,
    helpers: 2,
    limits: { ...defaultLimits, ...limits },
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
    ...(oomKills === undefined ? {} : { oomKills }),
    isBusy: () => state.busy,
    exceeded: (breach) => breaches.push(breach),
  });
  return { watch, breaches, state };
}

test('a plugin with a call in flight is looked at every 250 ms, an idle one every two seconds', async () => {
  const all = world();
  const { clock, processes, watchdog } = all;
  const { state } = watched(all);
  // The first look comes at once: whoever starts may be up to something.
  await clock.advance(hostLimits.watchGrowingMs);
  const looks = () => processes.asked.stat + processes.asked.residentBytes;
  let before = looks();
  await clock.advance(hostLimits.watchSlowMs - 1);
  assert.equal(looks(), before);
  await clock.advance(1);
  assert.notEqual(looks(), before);
  state.busy = true;
  watchdog.nudge();
  before = processes.asked.pids;
  // It was looked at just now.
  await clock.advance(hostLimits.watchFastMs * 4);
  assert.equal(processes.asked.pids, before + 4);
  state.busy = false;
  await clock.advance(hostLimits.watchFastMs * 2);
  state.busy = true;
  before = processes.asked.pids;
  watchdog.nudge();
  await clock.advance(hostLimits.watchGrowingMs);
  assert.equal(processes.asked.pids, before + 1);
});

test('a plugin whose memory grows is looked at ten times as often, and what it has by now is foretold', async () => {
  const all = world();
  const { state, watch } = watched(all, { memory_mb: 128 });
  const { watchGrowingMs } = hostLimits;
  state.busy = true;
  for (const residentBytes of [20 * mb, 40 * mb, 60 * mb]) {
    all.processes.set(12, { parent: 11, residentBytes });
    await all.clock.advance(watchGrowingMs);
    assert.equal(watch.usage.memoryBytes, residentBytes);
  }
  await all.clock.advance(watchGrowingMs - 1);
  assert.equal(watch.claimedPeakBytes(), (60 + (20 * (watchGrowingMs - 1)) / watchGrowingMs) * mb);
  await all.clock.advance(1);
  // It did not grow on; for a while it may only have paused.
  assert.equal(watch.claimedPeakBytes(), 60 * mb);
  await all.clock.advance(hostLimits.watchFastMs - watchGrowingMs);
  const before = all.processes.asked.pids;
  await all.clock.advance(hostLimits.watchFastMs - 1);
  assert.equal(all.processes.asked.pids, before);
  await all.clock.advance(1);
  assert.equal(all.processes.asked.pids, before + 1);
});

test('what a process asked for and did not use yet is known, too: the kernel refuses it what goes beyond', async () => {
  const all = world();
  const { watch } = watched(all, { memory_mb: 128 });
  all.processes.set(12, { parent: 11, residentBytes: 80 * mb, dataBytes: 100 * mb });
  await all.clock.advance(hostLimits.watchGrowingMs);
  assert.equal(watch.usage.memoryPeakBytes, 80 * mb);
  assert.equal(watch.claimedPeakBytes(), 100 * mb);
});

test('what a plugin has that does not answer any more is not foretold for longer than until the next look', () => {
  const growth = new MemoryGrowth(10);
  growth.add({ atMs: 0, bytes: 0 });
  assert.equal(growth.peakAt(100), 0);
  growth.add({ atMs: 100, bytes: 100 });
  assert.equal(growth.peakAt(100_000), 100 + hostLimits.watchFastMs);
});

test('an idle plugin is asked for its memory alone, and while no process starts not even for a list', async () => {
  const all = world();
  watched(all);
  await all.clock.advance(hostLimits.watchFastMs);
  const before = { ...all.processes.asked };
  await all.clock.advance(hostLimits.watchSlowMs * 3);
  assert.equal(all.processes.asked.residentBytes - before.residentBytes, 3);
  assert.equal(all.processes.asked.stat - before.stat, 0);
  assert.equal(all.processes.asked.pids - before.pids <= 1, true);
});

test('a plugin of very many processes is looked at less often, so that the others do not feel it', async () => {
  const all = world();
  const { state } = watched(all, { processes: 1_000 });
  state.busy = true;
  for (let child = 0; child < 150; child++) all.processes.set(100 + child, { parent: 12 });
  await all.clock.advance(hostLimits.watchFastMs);
  const before = all.processes.asked.stat;
  await all.clock.advance(hostLimits.watchFastMs * 2);
  assert.equal(all.processes.asked.stat, before);
  await all.clock.advance(hostLimits.watchFastMs);
  assert.equal(all.processes.asked.stat > before, true);
});

test('nothing is waited for when nothing is watched', async () => {
  const all = world();
  const { watch } = watched(all);
  assert.equal(all.clock.waiting, 1);
  watch.end();
  assert.equal(all.clock.waiting, 0);
  all.watchdog.nudge();
  assert.equal(all.clock.waiting, 0);
});

test('one look serves all plugins, and each has its own processes', async () => {
  const all = world();
  const first = watched(all);
  const second = watched(all, {}, { pid: 20 });
  all.processes.set(12, { parent: 11, residentBytes: 30 * mb, cpuMs: 40 });
  all.processes.set(30, { parent: 12, residentBytes: 5 * mb });
  all.processes.set(22, { parent: 21, residentBytes: 7 * mb });
  for (const { state } of [first, second]) state.busy = true;
  const before = all.processes.asked.pids;
  await all.clock.advance(hostLimits.watchGrowingMs);
  assert.equal(all.processes.asked.pids, before + 1);
  assert.equal(first.watch.usage.memoryBytes, 35 * mb);
  assert.equal(first.watch.usage.cpuMs, 40);
  assert.equal(first.watch.usage.tasks, 4);
  assert.equal(second.watch.usage.memoryBytes, 7 * mb);
  assert.deepEqual(all.watchdog.usageOf('plugin20'), second.watch.usage);
  assert.equal(all.watchdog.usageOf('nobody'), undefined);
});

test('an idle plugin that takes memory is seen at the next look, and ended at the one after', async () => {
  const all = world();
  const { breaches } = watched(all, { memory_mb: 100 });
  await all.clock.advance(hostLimits.watchFastMs);
  all.processes.set(12, { parent: 11, residentBytes: 150 * mb, unsharedBytes: 150 * mb });
  await all.clock.advance(hostLimits.watchSlowMs);
  assert.deepEqual(breaches, []);
  await all.clock.advance(hostLimits.watchFastMs);
  assert.equal(breaches.length, 1);
  const [{ kind, limit, value, used, detail } = {} as LimitBreach] = breaches;
  assert.deepEqual({ kind, limit, value, used }, { kind: 'memory', limit: 'memory_mb', value: 100, used: 150 });
  assert.match(detail, /150 MB of memory .* may have 100; raise memory_mb in \[limits\.plugins\.plugin10\]/);
  await all.clock.advance(hostLimits.watchSlowMs * 3);
  assert.equal(breaches.length, 1);
});

test('processor time over the limit counts on the average of the window, not in a burst', async () => {
  const all = world();
  const { breaches, state } = watched(all, { cpu: 0.5 });
  state.busy = true;
  let cpuMs = 0;
  const work = async (ms: number, cores: number) => {
    for (let at = 0; at < ms; at += hostLimits.watchFastMs) {
      cpuMs += hostLimits.watchFastMs * cores;
      all.processes.set(12, { parent: 11, cpuMs });
      await all.clock.advance(hostLimits.watchFastMs);
    }
  };
  await work(4_000, 1);
  await work(8_000, 0);
  assert.deepEqual(breaches, []);
  await work(4_000, 1);
  assert.deepEqual(breaches, []);
  await work(2_000, 1);
  assert.deepEqual(
    breaches.map(({ kind }) => kind),
    ['cpu'],
  );
});

test('a plugin that has all its processes is ended when it came by them just now and keeps trying', async () => {
  const all = world();
  const forking = watched(all, { processes: 40 });
  const quiet = watched(all, { processes: 40 }, { pid: 20 });
  forking.state.busy = true;
  quiet.state.busy = true;
  for (let at = 0; at <= 2_000; at += hostLimits.watchFastMs) {
    all.processes.set(12, { parent: 11, threads: 40, cpuMs: at });
    all.processes.set(22, { parent: 21, threads: 40, cpuMs: at / 50 });
    await all.clock.advance(hostLimits.watchFastMs);
  }
  assert.deepEqual(
    forking.breaches.map(({ kind }) => kind),
    ['processes'],
  );
  assert.deepEqual(quiet.breaches, []);
});

test('a bomb whose processes are each too short at work to be seen using anything is ended as well', async () => {
  const all = world();
  const { breaches, state } = watched(all, { processes: 40 });
  state.busy = true;
  for (let child = 0; child < 40; child++) all.processes.set(100 + child, { parent: 12, isRunning: child % 3 !== 0 });
  await all.clock.advance(hostLimits.watchFastMs * 8);
  assert.deepEqual(
    breaches.map(({ kind }) => kind),
    ['processes'],
  );
});

test('many processes at work are no bomb on a machine of many processors', async () => {
  const all = world(16);
  const { breaches, state } = watched(all, { processes: 48 });
  state.busy = true;
  for (let child = 0; child < 40; child++) all.processes.set(100 + child, { parent: 12, isRunning: true });
  await all.clock.advance(hostLimits.watchFastMs * 8);
  assert.deepEqual(breaches, []);
});

test('a plugin of one process that is busy from its start is within a limit of one', async () => {
  const all = world();
  const { breaches, state } = watched(all, { processes: 1 });
  state.busy = true;
  for (let at = 0; at <= 4_000; at += hostLimits.watchFastMs) {
    all.processes.set(12, { parent: 11, cpuMs: at });
    await all.clock.advance(hostLimits.watchFastMs);
  }
  assert.deepEqual(breaches, []);
});

test('a data folder is measured while its plugin works, and when the disk loses space at once', async () => {
  let bytes = 10 * mb;
  const all = world(2, () => ({ bytes, entries: 1 }));
  const { breaches, state, watch } = watched(all, { disk_mb: 100 }, { dataDirectory: '/data' });
  const tick = async (cpuMs: number) => {
    all.processes.set(12, { parent: 11, cpuMs });
    await all.clock.advance(hostLimits.watchFastMs);
  };
  state.busy = true;
  await tick(1);
  assert.equal(all.measured(), 1);
  assert.equal(watch.usage.diskBytes, 10 * mb);
  for (let at = 0; at < 20; at++) await tick(1);
  assert.equal(all.measured(), 1, 'it did nothing since');
  await tick(2);
  assert.equal(all.measured(), 2);
  await tick(3);
  assert.equal(all.measured(), 2, 'not again at once');
  bytes = 150 * mb;
  all.fill(140 * mb);
  await tick(4);
  assert.equal(all.measured(), 3);
  assert.deepEqual(
    breaches.map(({ kind, used }) => [kind, used]),
    [['disk', 150]],
  );
});

test('what a plugin wrote until it was ended counts to what it may keep, the first time and not again', async () => {
  let bytes = 150 * mb;
  const all = world(2, () => ({ bytes, entries: 1 }));
  const start = async (writtenUntilItsEnd: number) => {
    const life = watched(all, { disk_mb: 100 }, { dataDirectory: '/data' });
    life.state.busy = true;
    await all.clock.advance(hostLimits.watchFastMs);
    bytes += writtenUntilItsEnd;
    life.watch.end();
    await settled();
    return life.breaches.length;
  };
  assert.equal(await start(40 * mb), 1);
  assert.equal(await start(20 * mb), 0);
  assert.equal(await start(20 * mb), 1);
  assert.equal(await start(0), 1, 'starting again and again makes no room');
});

test('a folder that was too large may stay so at the next start, and may not grow', async () => {
  let bytes = 150 * mb;
  const all = world(2, () => ({ bytes, entries: 1 }));
  const start = async () => {
    const life = watched(all, { disk_mb: 100 }, { dataDirectory: '/data' });
    life.state.busy = true;
    await all.clock.advance(hostLimits.watchFastMs);
    life.watch.end();
    return life.breaches.length;
  };
  assert.equal(await start(), 1);
  assert.equal(await start(), 0);
  bytes = 160 * mb;
  assert.equal(await start(), 1);
  assert.equal(await start(), 1, 'what it grew by must not become the measure');
  bytes = 20 * mb;
  assert.equal(await start(), 0);
  bytes = 150 * mb;
  assert.equal(await start(), 1);
});

for (const unmeasurable of ['deep', 'many'] as const) {
  test(`a folder that cannot be measured (${unmeasurable}) is over its limit`, async () => {
    const all = world(2, () => ({ unmeasurable }));
    const { breaches, state } = watched(all, {}, { dataDirectory: '/data' });
    state.busy = true;
    await all.clock.advance(hostLimits.watchFastMs);
    assert.deepEqual(
      breaches.map(({ kind }) => kind),
      ['disk'],
    );
  });
}

test('a plugin of which the kernel ended one process for the memory of all is ended for its memory', async () => {
  let kills = 0;
  const all = world();
  const { breaches, state } = watched(all, { memory_mb: 128 }, { oomKills: () => kills });
  state.busy = true;
  await all.clock.advance(hostLimits.watchFastMs);
  assert.deepEqual(breaches, []);
  kills = 1;
  await all.clock.advance(hostLimits.watchFastMs);
  assert.deepEqual(
    breaches.map(({ kind, limit }) => [kind, limit]),
    [['memory', 'memory_mb']],
  );
});
