import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Imports every test file below a folder into this process: starting one costs more than running its tests. */
export async function importTests(folder: string): Promise<void> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort();
  for (const file of files) await import(pathToFileURL(join(folder, file)).href);
}
