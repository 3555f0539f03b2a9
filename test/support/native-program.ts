import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const fixtures = join(import.meta.dirname, '..', 'fixtures');

/** Whether fixtures written in C can be compiled here. */
export const hasCompiler = spawnSync('cc', ['--version']).status === 0;

/** Compiles the `main.c` of a fixture into a program at this path. Throws with the compiler's own words. */
export function compileFixture(behaviour: string, program: string): void {
  const source = join(fixtures, 'plugins', behaviour, 'main.c');
  const header = join(fixtures, 'native');
  const compiled = spawnSync('cc', ['-O1', '-Wall', '-I', header, '-o', program, source], { encoding: 'utf8' });
  if (compiled.status !== 0) throw new Error(`${source} cannot be compiled:\n${compiled.stderr}`);
}
