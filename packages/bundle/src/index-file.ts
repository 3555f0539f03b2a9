import { pluginName, semverVersion } from '@mmm/protocol';
import * as z from 'zod';
import { indexPath, invalidBundle } from './bundle-errors.ts';
import { bundleLimits } from './limits.ts';
import { checkPath, findCollision } from './path-rules.ts';

export const manifestNames = ['plugin.toml', 'plugin.yaml'] as const;

export const bundleFile = z.strictObject({
  path: z.string(),
  /** In bytes. */
  size: z.int().min(0).max(bundleLimits.fileBytes),
  /** 0555 if the file had any executable bit, else 0444: no other bits survive. */
  mode: z.enum(['0444', '0555']),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
});
export type BundleFile = Readonly<z.infer<typeof bundleFile>>;

/** `.mmm/index.json`: what a bundle is. Every file of the folder is listed, except `.mmm/` itself. */
export const bundleIndex = z
  .strictObject({
    schema: z.literal('mmm.bundle/1'),
    name: pluginName,
    version: semverVersion,
    manifest: z.enum(manifestNames),
    files: z.array(bundleFile).max(bundleLimits.files),
  })
  .superRefine(({ files, manifest }, context) => {
    const refuse = (at: number, message: string) => context.addIssue({ code: 'custom', path: ['files', at], message });
    let total = 0;
    let before = '';
    files.forEach(({ path, size }, at) => {
      const problem = checkPath(path);
      if (problem !== undefined) refuse(at, `the path ${problem}`);
      if (path <= before) refuse(at, 'the paths are not sorted, or one is there twice');
      before = path;
      total += size;
    });
    if (total > bundleLimits.totalBytes)
      refuse(files.length, `the files have more than ${bundleLimits.totalBytes} bytes`);
    const collision = findCollision(files.map(({ path }) => path));
    if (collision !== undefined) refuse(files.length, `${collision.path} ${collision.problem}`);
    if (!files.some(({ path }) => path === manifest)) refuse(files.length, `the manifest ${manifest} is not listed`);
  });
export type BundleIndex = Omit<Readonly<z.infer<typeof bundleIndex>>, 'files'> & {
  readonly files: readonly BundleFile[];
};

/** The one spelling of an index: fixed order of keys, files by path, one a line, no dates. */
export function serialiseIndex(index: BundleIndex): Uint8Array {
  const { schema, name, version, manifest } = index;
  const head = JSON.stringify({ schema, name, version, manifest });
  const lines = index.files.map(({ path, size, mode, sha256 }) => JSON.stringify({ path, size, mode, sha256 }));
  return Buffer.from(`${head.slice(0, -1)},"files":[\n${lines.join(',\n')}\n]}\n`, 'utf8');
}

/**
 * Reads an index whose bytes were verified already. Throws BUNDLE_INVALID. Bytes that would be written in another way
 * are refused: two readers of one index can then not see two different bundles (duplicate keys, `1e3` for 1000).
 */
export function parseIndex(bytes: Uint8Array, directory: string): BundleIndex {
  const refuse = (reason: string) => invalidBundle(directory, indexPath, reason);
  if (bytes.length > bundleLimits.indexBytes) throw refuse(`has more than ${bundleLimits.indexBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw refuse('is not JSON in UTF-8');
  }
  const parsed = bundleIndex.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(`does not fit its schema at ${issue?.path.join('.') || 'the top'}: ${issue?.message ?? 'unknown'}`);
  }
  if (!Buffer.from(serialiseIndex(parsed.data)).equals(bytes))
    throw refuse('is not in the spelling that signing writes');
  return parsed.data;
}
