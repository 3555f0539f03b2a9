import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '@mmm/host';

export interface NativePlugins {
  /** A compiled program. */
  readonly program: string;
  readonly words: readonly string[];
  readonly names: readonly string[];
  /** A folder for their folders. */
  readonly directory: string;
  /** What is appended to the manifest of each, by its place. */
  more?(index: number): string;
}

/** Signs and installs many plugins of one program, which differ by nothing but their names. */
export async function installNative(
  host: Host,
  { program, words, names, directory, more }: NativePlugins,
): Promise<void> {
  for (const [index, name] of names.entries()) {
    const folder = join(directory, name);
    mkdirSync(folder);
    copyFileSync(program, join(folder, 'program'));
    writeFileSync(
      join(folder, 'plugin.toml'),
      `schema = 1\n[plugin]\nname = "${name}"\nversion = "1.0.0"\ndescription = "A fixture"\nlicense = "MIT"\n` +
        `command = ${JSON.stringify(['./program', ...words])}\n[[capabilities]]\nkind = "tool"\nname = "run"\n` +
        (more?.(index) ?? ''),
    );
    await host.sign(folder);
    await host.install(folder);
  }
}
