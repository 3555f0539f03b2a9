import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

const commands = join(import.meta.dirname, '../fixtures/programs/mmm-commands.ts');

/** Another terminal, in a process of its own: runs commands on `home` and says when each was done. */
export function otherTerminal(t: TestContext, home: string): (...argv: string[]) => Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=mmm-source', commands], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const codes = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (...argv) => {
    child.stdin.write(`${JSON.stringify([...argv, '--home', home])}\n`);
    const { value } = await codes.next();
    const at = performance.now();
    assert.equal(value, '0', argv.join(' '));
    return at;
  };
}
