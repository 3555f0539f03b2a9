import { basename } from 'node:path';
import {
  assertNotRevoked,
  type ContentStore,
  indexFolder,
  type SignatureMemo,
  type TrustedKey,
  type TrustStore,
  verifyBundle,
  verifyIndexBytes,
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
  /** The name under which a folder that is not installed was excepted, or null. Default: none was. */
  listedException?(spec: PluginSpec): string | null;
  now(): Date;
  /** Whether a current revocation list is required, as `[trust]` of config.toml says. Default: it is not. */
  readonly currentRevocations?: boolean;
  /** Whose plugin it has been so far: of several signatures that count, theirs is taken. Default: nobody's yet. */
  boundPublisher?(spec: PluginSpec): string | null;
  /** What runs of the one plugin this host was told to develop. */
  readonly snapshot?: Snapshot;
}

/** What it takes to judge signatures. */
export type Judging = Pick<VerifyServices, 'trust' | 'now' | 'currentRevocations' | 'boundPublisher'>;

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
  const folder = await verifyFolder(spec, services, services.listedException?.(spec) ?? null);
  const bundleDirectory = await services.content.put(spec.directory, folder.stored);
  return verified(spec, bundleDirectory, folder.bundleSha256, folder.trust);
}

/** Verifies a folder where it lies. An unsigned one passes only as the bundle that was excepted by name. */
export async function verifyFolder(
  spec: PluginSpec,
  services: Judging,
  exception: string | null = null,
  options: { readonly retiredKeys?: boolean } = {},
): Promise<VerifiedFolder> {
  const { name, version } = spec.manifest.plugin;
  const manifest = manifestName(spec);
  try {
    const bundle = await verifyBundle(spec.directory, {
      name,
      version,
      manifest,
      ...options,
      ...trusting(spec, services),
    });
    const { index, indexBytes, indexSha256, signatures, signedBy } = bundle;
    checkManifest(spec, index.files);
    return {
      trust: signedTrust(signedBy, services.trust),
      bundleSha256: indexSha256,
      ...sizes(index.files),
      stored: { index, indexBytes, indexSha256, signatures },
    };
  } catch (error) {
    if (!MmmError.is(error, 'SIGNATURE_MISSING') || exception === null) throw error;
    const { index, bytes, sha256 } = await indexFolder(spec.directory, { name, version, manifest });
    checkManifest(spec, index.files);
    assertNotRevoked(sha256, { name, ...trusting(spec, services) });
    return {
      trust: { kind: 'unsigned', exception },
      bundleSha256: sha256,
      ...sizes(index.files),
      stored: { index, indexBytes: bytes, indexSha256: sha256 },
    };
  }
}

/**
 * As `verifyFolder`, of what was unpacked from an archive: its files were compared with its index on the way. What it
 * returns is about the very index that was unpacked.
 */
export async function verifyStaged(
  spec: PluginSpec,
  stored: VerifiedFolder['stored'],
  services: Judging,
  exception: string | null,
): Promise<VerifiedFolder> {
  const { name, version } = spec.manifest.plugin;
  const { index, indexBytes, indexSha256, signatures } = stored;
  checkManifest(spec, index.files);
  const about = { bundleSha256: indexSha256, ...sizes(index.files), stored };
  if (signatures === undefined && exception !== null) {
    assertNotRevoked(indexSha256, { name, ...trusting(spec, services) });
    return { trust: { kind: 'unsigned', exception }, ...about };
  }
  const signed = { place: spec.directory, indexBytes, signatures };
  const options = { name, version, manifest: manifestName(spec), ...trusting(spec, services) };
  const { signedBy } = await verifyIndexBytes(signed, options);
  return { trust: signedTrust(signedBy, services.trust), ...about };
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
    assertNotRevoked(bundleSha256, { name, ...trusting(spec, services) });
    return verified(spec, directory, bundleSha256, { kind: 'unsigned', exception: spec.id });
  }
  const signed = await verifySignedIndex(directory, {
    name,
    version,
    manifest: manifestName(spec),
    ...trusting(spec, services),
    memo: services.memo,
    // What was installed before its publisher changed keys runs on.
    retiredKeys: true,
  });
  if (signed.indexSha256 !== bundleSha256) {
    throw new MmmError(
      'BUNDLE_CHANGED',
      `The index of the installed plugin "${spec.id}" is not the one it was installed with. Install it again.`,
      { directory, file: '.mmm/index.json', reason: 'changed' },
    );
  }
  checkManifest(spec, signed.index.files);
  return verified(spec, directory, bundleSha256, signedTrust(signed.signedBy, services.trust));
}

function trusting(
  spec: PluginSpec,
  services: Judging,
): {
  readonly trust: TrustStore;
  readonly now: Date;
  readonly currentRevocations: boolean;
  readonly publisher: string | null;
} {
  const { trust, currentRevocations = false } = services;
  const publisher = services.boundPublisher?.(spec) ?? null;
  return { trust, now: services.now(), currentRevocations, publisher };
}

function signedTrust({ keyid, name, fingerprint }: TrustedKey, trust: TrustStore): Trust {
  return { kind: 'signed', keyid, keyName: name, fingerprint, publisher: trust.publisherOf(keyid) };
}

/**
 * Compares what is about to run with what was verified once more, as the last thing before a process is started: since
 * then somebody may have been asked, or a turn waited for. Throws BUNDLE_CHANGED.
 */
export async function reverify({ spec, bundleSha256 }: VerifiedPlugin, services: VerifyServices): Promise<void> {
  // A snapshot was taken a moment ago and is in no store.
  if (spec.origin !== 'development') await services.content.check(bundleSha256);
}

/**
 * A plugin under development has no signature: only the snapshot that this host took for its one development folder
 * passes, and what it was is in the audit log with each launch.
 */
function verifyDeveloped(spec: PluginSpec, services: VerifyServices): VerifiedPlugin {
  const { snapshot } = services;
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
  assertNotRevoked(snapshot.bundleSha256, { name: spec.id, ...trusting(spec, services) });
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
