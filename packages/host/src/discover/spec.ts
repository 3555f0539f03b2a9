import { hash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, open, readSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Manifest, MmmError } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import { checkFiles } from './bundle-files.ts';
import { checkCompatible, type HostFacts, thisHost } from './compatible.ts';
import { invalidEncoding, type ManifestFormat, manifestInvalid, parseManifest } from './manifest.ts';
import { identityOf, type ManifestMemory } from './manifest-memory.ts';

/** Where a plugin folder was found. The order is the order of precedence, highest first. */
export type PluginOrigin = 'registered' | 'installed' | 'project' | 'user' | 'system' | 'path' | 'development';

/** What a plugin should be, read from its folder. Data only: nothing of it ran. */
export interface PluginSpec {
  /** The manifest's name: `calculator` or `acme/calculator`. */
  readonly id: string;
  /** Absolute path of the folder it was read from, links resolved. */
  readonly directory: string;
  readonly origin: PluginOrigin;
  /** Origin `development` only: the folder that `directory` is a snapshot of. */
  readonly source?: string;
  /** Absolute path of plugin.toml or plugin.yaml. */
  readonly manifestFile: string;
  /** The exact bytes the manifest was parsed from, for comparison with the verified bundle. */
  readonly manifestSha256: string;
  readonly manifest: Manifest;
}

interface ManifestSource {
  readonly file: string;
  readonly format: ManifestFormat;
  readonly bytes: Uint8Array;
}

const openFile = promisify(open);
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the plugin in a folder; the folder itself may be a link. Runs nothing and opens only the manifest. The result
 * is frozen all the way down. `host` is what the plugin must fit; `null` skips that, for work on plugins for others.
 *
 * Throws MANIFEST_UNREADABLE (no manifest, two, a link, no regular file, too large), MANIFEST_INVALID (with every
 * problem and its place) or PLUGIN_INCOMPATIBLE.
 */
export async function readSpec(
  directory: string,
  origin: PluginOrigin,
  host: HostFacts | null = thisHost(),
): Promise<PluginSpec> {
  let resolved: string;
  try {
    resolved = await realpath(directory);
  } catch (error) {
    throw unreadable(directory, 'the folder', reasonOf(error));
  }
  return await readResolved(resolved, origin, host);
}

/** The same for a folder whose links are resolved already, with what an earlier scan remembered. */
export async function readResolved(
  directory: string,
  origin: PluginOrigin,
  host: HostFacts | null,
  memory?: { readonly manifests: ManifestMemory; readonly nowMs: number },
): Promise<PluginSpec> {
  const toml = join(directory, 'plugin.toml');
  const recalled = memory?.manifests.recall(toml);
  if (recalled !== undefined && !hasYaml(directory)) {
    const { manifest, manifestSha256 } = recalled;
    if (host !== null) checkCompatible(manifest, host);
    const platform = host?.platform ?? thisHost().platform;
    if (checkFiles(directory, manifest, platform).length === 0) {
      return deepFreeze({ id: manifest.plugin.name, directory, origin, manifestFile: toml, manifestSha256, manifest });
    }
  }
  const identity = memory === undefined ? undefined : identityOf(toml, memory.nowMs);
  const spec = await readFromFile(directory, origin, host);
  if (spec.manifestFile === toml) memory?.manifests.remember(toml, identity, spec);
  return spec;
}

async function readFromFile(directory: string, origin: PluginOrigin, host: HostFacts | null): Promise<PluginSpec> {
  const { file, format, bytes } = await readManifestFile(directory);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw invalidEncoding(bytes, file);
  }
  const manifest = await parseManifest(text, file, format);
  if (host !== null) checkCompatible(manifest, host);
  const missing = checkFiles(directory, manifest, host?.platform ?? thisHost().platform);
  if (missing.length > 0) throw await manifestInvalid(text, file, format, missing);
  const manifestSha256 = hash('sha256', bytes);
  return deepFreeze({ id: manifest.plugin.name, directory, origin, manifestFile: file, manifestSha256, manifest });
}

async function readManifestFile(directory: string): Promise<ManifestSource> {
  const toml = join(directory, 'plugin.toml');
  const yaml = join(directory, 'plugin.yaml');
  const bytes = await readBounded(toml);
  if (bytes === undefined) {
    const yamlBytes = await readBounded(yaml);
    if (yamlBytes !== undefined) return { file: yaml, format: 'yaml', bytes: yamlBytes };
    throw unreadable(directory, 'the folder', 'there is neither plugin.toml nor plugin.yaml in it');
  }
  if (hasYaml(directory)) {
    throw unreadable(directory, 'the folder', 'there are both plugin.toml and plugin.yaml; keep exactly one');
  }
  return { file: toml, format: 'toml', bytes };
}

function hasYaml(directory: string): boolean {
  return lstatSync(join(directory, 'plugin.yaml'), { throwIfNoEntry: false }) !== undefined;
}

/**
 * Nothing when there is no such file. Only opening leaves the thread: it is what a slow disk or a network folder makes
 * wait, and four hops a file would take most of the time of a scan. O_NONBLOCK: a FIFO would wait for a writer.
 */
async function readBounded(file: string): Promise<Uint8Array | undefined> {
  let descriptor: number;
  try {
    descriptor = await openFile(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(file, 'the manifest', reasonOf(error));
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw unreadable(file, 'the manifest', 'it is not a regular file');
    if (status.size > hostLimits.manifestBytes) {
      throw unreadable(
        file,
        'the manifest',
        `it has ${status.size} bytes; at most ${hostLimits.manifestBytes} are read`,
      );
    }
    const buffer = Buffer.allocUnsafe(status.size);
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } catch (error) {
    throw error instanceof MmmError ? error : unreadable(file, 'the manifest', reasonOf(error));
  } finally {
    closeSync(descriptor);
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ELOOP':
      return 'it is a link; a plugin holds only regular files';
    case 'ENOENT':
      return 'it does not exist';
    case 'ENOTDIR':
      return 'it is not a folder';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read it';
    case 'ENXIO':
      return 'it is not a regular file';
    default:
      return code ?? message;
  }
}

function unreadable(file: string, what: string, reason: string): MmmError<'MANIFEST_UNREADABLE'> {
  const message = `No plugin can be read from ${safeText(file, 4096)}: ${what} is unusable, ${reason}.`;
  return new MmmError('MANIFEST_UNREADABLE', message, { file, reason });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}
