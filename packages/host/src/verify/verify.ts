import { basename } from 'node:path';
import {
  type ContentStore,
  indexFolder,
  type SignatureMemo,
  type TrustStore,
  verifyBundle,
  verifySignedIndex,
} from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { PluginSpec } from '../discover/spec.ts';
import type { Snapshot } from './snapshot.ts';
import type { Trust, VerifiedPlugin } from './verified.ts';

export interface VerifyServices {
  readonly trust: TrustStore;
  readonly content: ContentStore;
  readonly memo: SignatureMemo;
  /** The bundle a user excepted by the plugin's name from needing a signature, or null. */
  exceptionOf(id: string): string | null;
  now(): Date;
  /** What runs of the one plugin this host was told to develop. */
  readonly snapshot?: Snapshot;
}

/** The verified bytes of a folder that is not in the store yet, with what vouches for them. */
export interface VerifiedFolder {
  readonly trust: Trust;
  readonly bundleSha256: string;
  readonly files: number;
  readonly bytes: number;
  readonly stored: Parameters<ContentStore['put']>[1];
}

/**
 * Checks every byte of a plugin and pins them: an installed plugin is compared with the record of the store, any other
 * folder is verified, copied into the store and run from there. Throws SIGNATURE_*, KEY_REVOKED, BUNDLE_*; nothing of
 * the plugin is executed. What it returns is what runs: later changes of the folder it was found in have no effect.
 */
export async function verify(spec: PluginSpec, services: VerifyServices): Promise<VerifiedPlugin> {
  if (spec.origin === 'installed') return verifyInstalled(spec, services);
  if (spec.origin === 'development') return verifyDeveloped(spec, services);
  const folder = await verifyFolder(spec, services);
  const bundleDirectory = await services.content.put(spec.directory, folder.stored);
  return verified(spec, bundleDirectory, folder.bundleSha256, folder.trust);
}

/** Verifies a folder where it lies. An unsigned one passes only as the bundle that was excepted by name. */
export async function verifyFolder(
  spec: PluginSpec,
  services: Pick<VerifyServices, 'trust' | 'now'>,
  exception: string | null = null,
): Promise<VerifiedFolder> {
  const { name, version } = spec.manifest.plugin;
  const manifest = manifestName(spec);
  try {
    const bundle = await verifyBundle(spec.directory, {
      name,
      version,
      manifest,
      trust: services.trust,
      now: services.now(),
    });
    const { index, indexBytes, indexSha256, signatures, signedBy } = bundle;
    checkManifest(spec, index.files);
    return {
      trust: { kind: 'signed', keyid: signedBy.keyid, keyName: signedBy.name },
      bundleSha256: indexSha256,
      ...sizes(index.files),
      stored: { index, indexBytes, indexSha256, signatures },
    };
  } catch (error) {
    if (!MmmError.is(error, 'SIGNATURE_MISSING') || exception === null) throw error;
    const { index, bytes, sha256 } = await indexFolder(spec.directory, { name, version, manifest });
    checkManifest(spec, index.files);
    return {
      trust: { kind: 'unsigned', exception },
      bundleSha256: sha256,
      ...sizes(index.files),
      stored: { index, indexBytes: bytes, indexSha256: sha256 },
    };
  }
}

/**
 * An installed plugin lies in the store already: its files are compared with the identities recorded when they were
 * written, and its signature is checked against today's trust, so that a revocation holds from the next launch on.
 */
async function verifyInstalled(spec: PluginSpec, services: VerifyServices): Promise<VerifiedPlugin> {
  const bundleSha256 = basename(spec.directory);
  const directory = await services.content.check(bundleSha256);
  if (directory !== spec.directory) {
    throw new MmmError(
      'BUNDLE_CHANGED',
      `The installed plugin "${spec.id}" does not lie in the store but in ${spec.directory}. Install it again.`,
      { directory: spec.directory, file: '.', reason: 'not_a_file' },
    );
  }
  const { name, version } = spec.manifest.plugin;
  const exception = services.exceptionOf(spec.id);
  if (exception === bundleSha256) {
    return verified(spec, directory, bundleSha256, { kind: 'unsigned', exception: spec.id });
  }
  const signed = await verifySignedIndex(directory, {
    name,
    version,
    manifest: manifestName(spec),
    trust: services.trust,
    now: services.now(),
    memo: services.memo,
  });
  if (signed.indexSha256 !== bundleSha256) {
    throw new MmmError(
      'BUNDLE_CHANGED',
      `The index of the installed plugin "${spec.id}" is not the one it was installed with. Install it again.`,
      { directory, file: '.mmm/index.json', reason: 'changed' },
    );
  }
  checkManifest(spec, signed.index.files);
  return verified(spec, directory, bundleSha256, {
    kind: 'signed',
    keyid: signed.signedBy.keyid,
    keyName: signed.signedBy.name,
  });
}

/**
 * A plugin under development has no signature: only the snapshot that this host took for its one development folder
 * passes, and what it was is in the audit log with each launch.
 */
function verifyDeveloped(spec: PluginSpec, { snapshot }: VerifyServices): VerifiedPlugin {
  if (snapshot === undefined || snapshot.directory !== spec.directory) {
    throw new MmmError(
      'SIGNATURE_MISSING',
      `${spec.directory} is not under development here. Sign "${spec.id}" first.`,
      {
        plugin: spec.id,
        directory: spec.directory,
      },
    );
  }
  return verified(spec, snapshot.directory, snapshot.bundleSha256, { kind: 'unsigned', exception: 'development' });
}

/** The permissions that were read must be the permissions that were signed: the manifest's bytes are compared. */
function checkManifest(spec: PluginSpec, files: readonly { path: string; sha256: string }[]): void {
  const name = manifestName(spec);
  const listed = files.find(({ path }) => path === name);
  if (listed?.sha256 === spec.manifestSha256) return;
  throw new MmmError(
    'BUNDLE_CHANGED',
    `${spec.manifestFile} changed while it was being read. Try again, or sign the plugin anew.`,
    { directory: spec.directory, file: name, reason: 'changed' },
  );
}

function manifestName(spec: PluginSpec): 'plugin.toml' | 'plugin.yaml' {
  return basename(spec.manifestFile) === 'plugin.yaml' ? 'plugin.yaml' : 'plugin.toml';
}

function sizes(files: readonly { size: number }[]): { files: number; bytes: number } {
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

function verified(spec: PluginSpec, bundleDirectory: string, bundleSha256: string, trust: Trust): VerifiedPlugin {
  // The brand exists for the compiler only.
  return Object.freeze({ spec, bundleDirectory, bundleSha256, trust }) as unknown as VerifiedPlugin;
}
