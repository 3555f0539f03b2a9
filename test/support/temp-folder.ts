import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { removeTree } from '../../scripts/remove-tree.ts';

/** A folder of its own for one test, gone after it. */
export function tempFolder(t: Pick<TestContext, 'after'>, name = 'mmm-test-'): string {
  const directory = mkdtempSync(join(tmpdir(), name));
  t.after(() => removeTree(directory));
  return directory;
}
