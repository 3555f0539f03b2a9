import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../..');

/** Bundles a plugin's source into one CommonJS file, as a plugin is shipped. */
export async function bundlePlugin(source: string, outfile: string): Promise<void> {
  await build({
    ...(source.endsWith('.ts')
      ? { entryPoints: [join(root, source)] }
      : { stdin: { contents: source, resolveDir: root } }),
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    conditions: ['mmm-source'],
    absWorkingDir: root,
    logLevel: 'silent',
  });
}
