import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { removeTree } from '../../scripts/remove-tree.ts';

const repository = join(import.meta.dirname, '../..');

export interface ProgramEnd {
  readonly signal: string | null;
  readonly code: number | string | null | undefined;
  readonly output: string;
}

/**
 * A program of test/fixtures/programs in one file, so that it starts fast; inside the repository, where what it does
 * not bundle resolves. Gone after the test.
 */
export async function bundledProgram(t: { after(run: () => void): void }, name: string): Promise<string> {
  const folder = join(repository, 'build', `program-${basename(name, '.ts')}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  t.after(() => removeTree(folder));
  const outfile = join(folder, `${basename(name, '.ts')}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, '../fixtures/programs', name)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    alias: Object.fromEntries(
      ['host', 'bundle', 'rpc', 'protocol'].map((one) => [
        `@mmm/${one}`,
        join(repository, `packages/${one}/src/index.ts`),
      ]),
    ),
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    conditions: ['mmm-source'],
    logLevel: 'silent',
  });
  return outfile;
}

/** Runs it to its end, whatever that is. */
export function runProgram(program: string, ...words: string[]): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const { NODE_V8_COVERAGE: _theTests, ...env } = process.env;
    execFile(process.execPath, [program, ...words], { timeout: 60_000, env }, (error, stdout, stderr) => {
      resolve({ signal: error?.signal ?? null, code: error?.code, output: `${stdout}${stderr}` });
    });
  });
}
