// Takes 25 s: two hundred plugins, and what is stubborn is given all the time that it is promised.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '@mmm/rpc';
import { confined } from '../support/confined.ts';
import { processRows } from '../support/hostile/processes.ts';
import { answerRows, helloRows } from '../support/hostile/wire.ts';
import { type Level, meet, openWorld, type World } from '../support/hostile/world.ts';
import { heldMb } from '../support/loop-lag.ts';
import { hasCompiler } from '../support/native-program.ts';
import { tempFolder } from '../support/temp-folder.ts';

const complete = hasCompiler ? {} : { skip: 'there is no C compiler here' };
const levels: readonly { level: Level; where: string; options: { skip?: string } }[] = [
  { level: 'process', where: 'in bubblewrap', options: { ...complete, ...confined } },
  { level: 'none', where: 'without a sandbox', options: complete },
];
const isRoot = process.getuid?.() === 0;
/** What is said on a pipe is the same whoever runs it: the second run, as an ordinary user, is about processes. */
const rows = [...processRows, ...helloRows, ...(isRoot ? answerRows : [])];
/** Most of them wait most of the time. */
const rowsAtOnce = 4;
/** After all is over: code that was loaded, books about two hundred plugins, and little of the 300 MB they sent. */
const heldMaxMb = 64;
/** The host's own bound for ending all its plugins, and a little for looking at the clock. */
/** Against hanging: how fast a host closes is another test's, with as many plugins as are promised. */
const closeMaxMs = 40_000;

const cleanups: (() => unknown)[] = [];
const t = { after: (run: () => unknown) => void cleanups.push(run) };
const programs = tempFolder(t);
after(async () => {
  for (const run of cleanups.reverse()) await run();
});

describe('at every sandbox level', { concurrency: true, ...complete }, () => {
  let beforeMb = 0;
  before(() => {
    beforeMb = heldMb();
  });
  for (const { level, where, options } of levels) {
    describe(`a plugin ${where}`, { concurrency: rowsAtOnce, ...options }, () => {
      let world: World;
      before(async () => {
        world = await openWorld(t, level, rows, programs);
      });
      for (const row of rows) {
        const isElsewhere = row.only !== undefined && row.only[0] !== level;
        test(`that ${row.that}`, isElsewhere ? { skip: row.only?.[1] ?? '' } : {}, () => meet(row, world));
      }
      after(async () => {
        const startedMs = systemClock.monotonic();
        await world.end();
        const tookMs = systemClock.monotonic() - startedMs;
        assert.ok(tookMs < closeMaxMs, `the host took ${tookMs.toFixed(0)} ms to close`);
        assert.equal(({} as { polluted?: unknown }).polluted, undefined, 'no message reaches a prototype');
      });
    });
  }
  after(async () => {
    heldMb();
    // What was collected may have held something that is freed only now.
    await new Promise<void>((resolve) => systemClock.immediate(resolve));
    const growthMb = heldMb() - beforeMb;
    assert.ok(growthMb < heldMaxMb, `host memory grew by ${growthMb.toFixed(0)} MB`);
  });
});
