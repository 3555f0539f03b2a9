import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { BundleArchive, type ContentStore, parseIndex, type StagedBundle, verifyIndexBytes } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { HostFacts } from './discover/compatible.ts';
import { type PluginSpec, readSpec } from './discover/spec.ts';
import { type Judging, type VerifiedFolder, verifyFolder, verifyStaged } from './verify/verify.ts';

export type SourceServices = Judging & {
  readonly content: ContentStore;
};

/** A plugin that is not in the store yet: a folder as it lies, or an archive unpacked beside the store. */
export interface PluginSource {
  readonly spec: PluginSpec;
  /** The archive as it was unpacked; undefined for a folder. */
  readonly staged: StagedBundle | undefined;
  /** Checks signatures and every byte. An unsigned one passes only when it is excepted by name. */
  verify(exception: string | null): Promise<VerifiedFolder>;
  /** Puts into the store what was verified. */
  keep(folder: VerifiedFolder): Promise<void>;
}

export interface SourceOptions {
  /** What the plugin must fit; `null` for work on plugins for others. Default: this host. */
  readonly host?: HostFacts | null;
  /**
   * Whether nothing of an archive is unpacked before a trusted key is known to have signed its index. `unsigned` lets
   * an archive pass that has no signatures at all. Default: whatever is an archive is unpacked.
   */
  readonly trusted?: 'signed' | 'unsigned';
  /** Told of an archive that was refused before its manifest was read. */
  onRefused?(error: unknown): void;
}

/** Whether it is a file. What cannot even be looked at is none: reading it as a folder says why. */
export function isArchive(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Reads the plugin in a folder or an archive for as long as `use` takes. Runs nothing. What an archive was unpacked to
 * is removed afterwards, unless it was kept. Throws what `readSpec`, `BundleArchive` and verifying throw; errors name
 * the archive, not the place it was unpacked to.
 */
export async function withSource<T>(
  path: string,
  services: SourceServices,
  options: SourceOptions,
  use: (source: PluginSource) => Promise<T>,
): Promise<T> {
  if (!isArchive(path)) return await use(await folderSource(path, services, options));
  const staged = await unpack(path, services, options).catch((error: unknown) => {
    options.onRefused?.(error);
    throw error;
  });
  try {
    return await use(await stagedSource(staged, services, options));
  } catch (error) {
    throw renamed(error, staged.directory, path);
  } finally {
    await services.content.discard(staged);
  }
}

async function folderSource(path: string, services: SourceServices, options: SourceOptions): Promise<PluginSource> {
  const spec = await readSpec(path, 'path', options.host);
  return {
    spec,
    staged: undefined,
    verify: (exception) => verifyFolder(spec, services, exception),
    async keep({ stored }) {
      await services.content.put(spec.directory, stored);
    },
  };
}

async function stagedSource(
  staged: StagedBundle,
  services: SourceServices,
  options: SourceOptions,
): Promise<PluginSource> {
  const spec = await readSpec(staged.directory, 'path', options.host);
  checkIdentity(spec, staged);
  return {
    spec,
    staged,
    verify: (exception) => verifyStaged(spec, staged.bundle, services, exception),
    async keep() {
      await services.content.keep(staged);
    },
  };
}

async function unpack(path: string, services: SourceServices, { trusted }: SourceOptions): Promise<StagedBundle> {
  const archive = await BundleArchive.open(path);
  try {
    const { indexBytes, signatures } = archive;
    if (trusted === 'signed' || (trusted === 'unsigned' && signatures !== undefined)) {
      const { trust, currentRevocations = false } = services;
      const name = { place: path, indexBytes, signatures };
      await verifyIndexBytes(name, { trust, now: services.now(), currentRevocations });
    }
    return await services.content.stage(archive);
  } finally {
    archive.close();
  }
}

/** An index is about the plugin whose manifest it lists, whoever signed it. */
function checkIdentity(spec: PluginSpec, { bundle, directory }: StagedBundle): void {
  const { name, version, manifest } = parseIndex(bundle.indexBytes, directory);
  const own = spec.manifest.plugin;
  if (name === own.name && version === own.version && manifest === basename(spec.manifestFile)) return;
  const reason = `is about ${name} ${version}, and the manifest is of ${own.name} ${own.version}`;
  const message = `The archive ${directory} is not a valid bundle: .mmm/index.json ${reason}.`;
  throw new MmmError('BUNDLE_INVALID', message, { directory, file: '.mmm/index.json', reason });
}

/** The same error about another place. */
function renamed(error: unknown, from: string, to: string): unknown {
  if (!(error instanceof MmmError) || !error.message.includes(from)) return error;
  const inData = (value: unknown): unknown => (typeof value === 'string' ? value.replaceAll(from, to) : value);
  const data = Object.fromEntries(Object.entries(error.data).map(([key, value]) => [key, inData(value)]));
  return new MmmError(error.code, error.message.replaceAll(from, to), data as never, { cause: error.cause });
}
