// Takes 10 s: each flood alone, so that what it costs is its own.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { confined } from '../support/confined.ts';
import { floodRows } from '../support/hostile/floods.ts';
import { type Level, meet, openWorld, type World } from '../support/hostile/world.ts';
import { loopLagMs, residentMb } from '../support/loop-lag.ts';
import { hasCompiler } from '../support/native-program.ts';
import { tempFolder } from '../support/temp-folder.ts';

const complete = hasCompiler ? {} : { skip: 'there is no C compiler here' };
const levels: readonly { level: Level; where: string; options: { skip?: string } }[] = [
  { level: 'process', where: 'in bubblewrap', options: { ...complete, ...confined } },
  { level: 'none', where: 'without a sandbox', options: complete },
];
const lagMaxMs = 100;
const growthMaxMb = 100;

const cleanups: (() => unknown)[] = [];
const t = { after: (run: () => unknown) => void cleanups.push(run) };
const programs = tempFolder(t);
after(async () => {
  for (const run of cleanups.reverse()) await run();
});

for (const { level, where, options } of levels) {
  describe(`a plugin ${where}`, options, () => {
    let world: World;
    before(async () => {
      world = await openWorld(t, level, floodRows, programs);
    });
    for (const row of floodRows) {
      test(`that ${row.that}`, async () => {
        const beforeMb = residentMb();
        // Somebody else may hold the machine for a moment; what the flood itself causes, it causes each time.
        let lagMs = await loopLagMs(() => meet(row, world));
        if (lagMs >= lagMaxMs) lagMs = await loopLagMs(() => meet(row, world));
        assert.ok(lagMs < lagMaxMs, `the event loop was blocked for ${lagMs.toFixed(0)} ms`);
        const growthMb = process.memoryUsage().rss / 1_048_576 - beforeMb;
        assert.ok(growthMb < growthMaxMb, `host memory grew by ${growthMb.toFixed(0)} MB`);
      });
    }
    after(() => world.end());
  });
}
