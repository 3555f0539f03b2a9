import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import {
  type BundleFile,
  type BundleToStore,
  indexFolder,
  onlySignatureOf,
  signaturesOver,
  signersOf,
  verifyIndexBytes,
} from '@mmm/bundle';
import { type ErrorCode, type Manifest, MmmError } from '@mmm/protocol';
import type { CapabilitySummary } from './api.ts';
import type { PermissionSummary } from './api-permissions.ts';
import { capabilitySummaries } from './capability-summary.ts';
import { checkCompatible, thisHost } from './discover/compatible.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Home } from './home.ts';
import { identityOf } from './packaging.ts';
import { summarizePermissions } from './permission-summary.ts';
import type { PermissionPolicy } from './permit/policy.ts';
import { type SourceServices, withSource } from './plugin-source.ts';
import { similarNames } from './similar-names.ts';
import type { Store } from './store/store.ts';

/** One signature of a bundle, whoever made it. */
export interface SignatureSummary {
  readonly keyid: string;
  /** As the trust store calls the key; null for one that it does not know. */
  readonly keyName: string | null;
  readonly fingerprint: string | null;
  /** Why this signature alone does not vouch for the plugin here; null when it does. */
  readonly problem: ErrorCode | null;
}

/** What a plugin is and asks for, read as data. Its author wrote the texts: show them with `safeText`. */
export interface InspectReport {
  readonly kind: 'archive' | 'folder' | 'installed';
  readonly id: string;
  readonly version: string;
  readonly manifest: Manifest;
  /** sha256 of the index that these files have. */
  readonly bundleSha256: string;
  /** Of the archive in bytes; null for a folder. */
  readonly archiveBytes: number | null;
  readonly files: readonly BundleFile[];
  /** Of all files in bytes. */
  readonly bytes: number;
  /** Those over exactly these files. */
  readonly signatures: readonly SignatureSummary[];
  /** Why it would not be installed as it is; null when a trusted key vouches for it. */
  readonly problem: { readonly code: ErrorCode; readonly message: string } | null;
  /** Why it cannot run on this machine; null when it can. */
  readonly incompatible: string | null;
  /** Installed plugins of others whose names are easily taken for its own. */
  readonly similar: readonly string[];
  readonly capabilities: readonly CapabilitySummary[];
  /** With what would be decided about each when it is installed: nothing granted yet by anybody. */
  readonly permissions: readonly PermissionSummary[];
  /** What lies in the folder and is no part of the plugin; empty for an archive. */
  readonly leftOut: readonly string[];
}

export interface InspectServices extends SourceServices {
  readonly home: Home;
  readonly policy: PermissionPolicy;
  readonly project: string | undefined;
  readonly store: Pick<Store, 'plugins'>;
  find(id: string): Promise<PluginSpec>;
}

/**
 * Looks into an archive, a folder or a known plugin, trusted or not: nothing is executed, nothing stays. Throws what is
 * wrong with it as a bundle: BUNDLE_INVALID, BUNDLE_CHANGED, MANIFEST_*, PLUGIN_NOT_FOUND.
 */
export async function inspect(pathOrId: string, services: InspectServices): Promise<InspectReport> {
  if (!isAbsolute(pathOrId)) {
    const spec = await services.find(pathOrId);
    return await folderReport(spec, spec.origin === 'installed' ? 'installed' : 'folder', services);
  }
  return await withSource(pathOrId, services, { host: null }, async ({ spec, staged }) => {
    if (staged === undefined) return await folderReport(spec, 'folder', services);
    const { size } = await stat(pathOrId);
    return await reportOf(spec, staged.bundle, services, { kind: 'archive', archiveBytes: size, leftOut: [] });
  });
}

async function folderReport(
  spec: PluginSpec,
  kind: 'folder' | 'installed',
  services: InspectServices,
): Promise<InspectReport> {
  const { index, bytes, sha256, leftOut } = await indexFolder(spec.directory, identityOf(spec));
  const signatures = await signaturesOver(spec.directory, bytes);
  const bundle = { index, indexBytes: bytes, indexSha256: sha256, signatures };
  return await reportOf(spec, bundle, services, { kind, archiveBytes: null, leftOut });
}

async function reportOf(
  spec: PluginSpec,
  bundle: BundleToStore,
  services: InspectServices,
  found: Pick<InspectReport, 'kind' | 'archiveBytes' | 'leftOut'>,
): Promise<InspectReport> {
  const { index, indexSha256, signatures } = bundle;
  const summaries: SignatureSummary[] = [];
  for (const keyid of signersOf(signatures)) {
    const key = services.trust.find(keyid);
    const problem = await problemOf(spec, { ...bundle, signatures: onlySignatureOf(signatures, keyid) }, services);
    summaries.push({
      keyid,
      keyName: key?.name ?? null,
      fingerprint: key?.fingerprint ?? null,
      problem: problem?.code ?? null,
    });
  }
  const problem = await problemOf(spec, bundle, services);
  const vouching = summaries.find((signature) => signature.problem === null);
  const publisher = vouching === undefined ? null : services.trust.publisherOf(vouching.keyid);
  return {
    ...found,
    id: index.name,
    version: index.version,
    manifest: spec.manifest,
    bundleSha256: indexSha256,
    files: index.files,
    bytes: index.files.reduce((sum, { size }) => sum + size, 0),
    signatures: summaries,
    problem: problem === null ? null : { code: problem.code, message: problem.message },
    incompatible: incompatibility(spec.manifest),
    similar: similarNames(index.name, publisher, services.store.plugins.list()),
    capabilities: await capabilitySummaries(spec),
    permissions: summarizePermissions(spec, new Set(), services),
  };
}

/** Why the signatures do not vouch for it. */
async function problemOf(
  spec: PluginSpec,
  { indexBytes, signatures }: BundleToStore,
  { trust, now, currentRevocations = false }: SourceServices,
): Promise<MmmError | null> {
  const signed = { place: spec.directory, indexBytes, signatures };
  try {
    await verifyIndexBytes(signed, { name: spec.id, trust, now: now(), currentRevocations });
    return null;
  } catch (error) {
    if (error instanceof MmmError) return error;
    throw error;
  }
}

function incompatibility(manifest: Manifest): string | null {
  try {
    checkCompatible(manifest, thisHost());
    return null;
  } catch (error) {
    if (MmmError.is(error, 'PLUGIN_INCOMPATIBLE')) return error.message;
    throw error;
  }
}
