import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { changedFiles, listSources } from '../../../../packages/cli/src/dev/source-listing.ts';
import { type SourceWatch, watchSources } from '../../../../packages/cli/src/dev/watch-sources.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { writeFiles } from '../../../support/plugin-folder.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const sources = {
  'main.cjs': '1',
  'src/a.ts': '1',
  'node_modules/x/index.js': '1',
  '.git/HEAD': '1',
  'dist/x.cjs': '1',
};

async function watched(t: TestContext): Promise<{ folder: string; watch: SourceWatch; next(): Promise<string[]> }> {
  const folder = tempFolder(t);
  await writeFiles(folder, sources);
  const clock = new FakeClock();
  const seen: string[][] = [];
  const watch = watchSources(folder, { clock, onChange: (paths) => seen.push([...paths]) });
  t.after(() => watch.close());
  watch.builds('dist');
  /** The kernel says when; only the debounce is the clock's. */
  const next = async (): Promise<string[]> => {
    for (;;) {
      const found = seen.shift();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => clock.immediate(resolve));
      await clock.advance(100);
    }
  };
  return { folder, watch, next };
}

test('sources are what is neither installed, nor a history, nor built', async (t) => {
  const folder = tempFolder(t);
  await writeFiles(folder, { ...sources, 'main.cjs~': '', '.main.cjs.swp': '', '.#main.cjs': '', '.gitignore': '' });
  const before = listSources(folder, 'dist');
  assert.deepEqual([...before.files.keys()].sort(), ['.gitignore', 'main.cjs', 'src/a.ts']);
  assert.deepEqual([...before.folders].sort(), ['', 'src']);
  writeFileSync(join(folder, 'src/b.ts'), '');
  rmSync(join(folder, 'main.cjs'));
  assert.deepEqual(changedFiles(before, listSources(folder, 'dist')), ['main.cjs', 'src/b.ts']);
});

test('a save is told once, however the editor writes it', async (t) => {
  const { folder, next } = await watched(t);
  writeFileSync(join(folder, 'main.cjs'), '22');
  assert.deepEqual(await next(), ['main.cjs']);
  writeFileSync(join(folder, 'main.cjs.new'), '333');
  renameSync(join(folder, 'main.cjs.new'), join(folder, 'main.cjs'));
  assert.deepEqual(await next(), ['main.cjs']);
  rmSync(join(folder, 'main.cjs'));
  assert.deepEqual(await next(), ['main.cjs']);
});

test('what is written to a new folder is seen, and what a build or an installation writes is not', async (t) => {
  const { folder, next } = await watched(t);
  writeFileSync(join(folder, 'dist/x.cjs'), '22');
  writeFileSync(join(folder, 'node_modules/x/index.js'), '22');
  mkdirSync(join(folder, 'src/deep/er'), { recursive: true });
  writeFileSync(join(folder, 'src/deep/er/c.ts'), '1');
  assert.deepEqual(await next(), ['src/deep/er/c.ts']);
  writeFileSync(join(folder, 'src/deep/er/c.ts'), '22');
  assert.deepEqual(await next(), ['src/deep/er/c.ts']);
});
