// Writes what is generated from the schemas: `npm run generate`. test/tidy.test.ts fails when a file is out of date.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from './generate/generated-files.ts';

const root = dirname(import.meta.dirname);
for (const [path, text] of generatedFiles(root)) {
  const file = join(root, path);
  const isCurrent = safeRead(file) === text;
  if (isCurrent) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`generated ${path}`);
}

function safeRead(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
