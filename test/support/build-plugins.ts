import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '..', '..');

/** Builds the shipped plugins if their sources are newer. Returns the folder that holds them. */
export function buildPlugins(): string {
  const built = spawnSync(process.execPath, [join(repository, 'scripts', 'build.mjs'), '--if-needed'], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(`The plugins could not be built:\n${built.stderr}`);
  return join(repository, 'build', 'plugins');
}
