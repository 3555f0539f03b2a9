import { isAbsolute } from 'node:path';
import type { MinisignToVerify, VerifyReport } from './api-bundles.ts';
import type { PluginSpec } from './discover/spec.ts';
import { recordId } from './identity.ts';
import { verifyByMinisign } from './minisign-report.ts';
import { withSource } from './plugin-source.ts';
import type { Store } from './store/store.ts';
import { type VerifiedFolder, type VerifyServices, verify, verifyFolder } from './verify/verify.ts';

export interface VerifyReportServices {
  readonly launch: VerifyServices;
  readonly store: Store;
  find(id: string): Promise<PluginSpec>;
}

/** Checks every byte of a folder, of an archive, or of the plugin of a name. Throws what is wrong. */
export async function verifyReport(
  pathOrId: string,
  minisign: MinisignToVerify | undefined,
  services: VerifyReportServices,
): Promise<VerifyReport> {
  const { launch, store } = services;
  if (minisign !== undefined) return await verifyByMinisign(pathOrId, minisign, launch);
  if (isAbsolute(pathOrId)) {
    const trusted = { trusted: 'signed' } as const;
    return await withSource(pathOrId, launch, trusted, async (source) => {
      return reportOf(source.spec, await source.verify(null));
    });
  }
  const spec = await services.find(pathOrId);
  // The launch compares identities; asked for by name, every byte is read again.
  await verify(spec, launch);
  const exception = store.plugins.get(recordId(spec))?.unsignedException ?? null;
  const retiredKeys = spec.origin === 'installed';
  return reportOf(spec, await verifyFolder(spec, launch, exception, { retiredKeys }));
}

function reportOf(spec: PluginSpec, { bundleSha256, trust, files, bytes }: VerifiedFolder): VerifyReport {
  return { id: spec.id, version: spec.manifest.plugin.version, bundleSha256, trust, files, bytes, minisign: null };
}
