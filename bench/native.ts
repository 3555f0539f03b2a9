import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '@mmm/host';
import { program } from './programs.ts';

/** Compiles one of the programs in C. Throws with the compiler's own words. */
export function compile(name: string, folder: string): string {
  const compiled = join(folder, name.replace('.c', ''));
  const run = spawnSync('cc', ['-O1', '-o', compiled, program(name)], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${name} cannot be compiled: ${run.error?.message ?? run.stderr}`);
  return compiled;
}

/** Makes, signs and installs plugins of one compiled program. Returns their names. */
export async function installNative(host: Host, compiled: string, folder: string, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `native_${index}`);
  await host.createKey('bench');
  for (const name of names) {
    const source = join(folder, name);
    mkdirSync(source, { recursive: true });
    copyFileSync(compiled, join(source, 'program'));
    writeFileSync(
      join(source, 'plugin.toml'),
      `schema = 1\n[plugin]\nname = "${name}"\nversion = "1.0.0"\ndescription = "Answers"\nlicense = "MIT"\n` +
        'command = ["./program"]\n[limits]\nidle_stop_s = 0\n[[capabilities]]\nkind = "tool"\nname = "run"\n',
    );
    await host.sign(source);
    await host.install(source);
  }
  return names;
}
