import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

/**
 * Imports every test file below a folder into this process: starting one costs more than running its tests. A test of
 * its own waits for that, in front of all others: a run that is to end when its tests have would else end when those
 * of the first files have, wherever the next file takes longer to load.
 */
export async function importTests(folder: string): Promise<void> {
  const loaded = importAll(folder);
  test(`every test file of ${basename(folder)} is loaded`, () => loaded);
  await loaded;
}

async function importAll(folder: string): Promise<void> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort();
  for (const file of files) await import(pathToFileURL(join(folder, file)).href);
}
