import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { bundlePlugin } from './bundle-plugin.ts';

const plugins = join(import.meta.dirname, '../../plugins');

/** A complete folder of a shipped TypeScript plugin as the build makes it, without building anything else. */
export async function shippedPlugin(name: string, directory: string): Promise<string> {
  const source = join(plugins, name);
  const folder = join(directory, name);
  cpSync(source, folder, { recursive: true, filter: (path) => path !== join(source, 'src') });
  await bundlePlugin(`plugins/${name}/src/main.ts`, join(folder, 'dist/plugin.cjs'));
  return folder;
}
