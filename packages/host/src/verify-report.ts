import { isAbsolute } from 'node:path';
import type { VerifyReport } from './api.ts';
import type { PluginSpec } from './discover/spec.ts';
import { readSpec } from './discover/spec.ts';
import { recordId } from './identity.ts';
import type { Store } from './store/store.ts';
import { type VerifyServices, verify, verifyFolder } from './verify/verify.ts';

export interface VerifyReportServices {
  readonly launch: VerifyServices;
  readonly store: Store;
  find(id: string): Promise<PluginSpec>;
}

/** Checks every byte of a folder, or of the plugin of a name. Throws what is wrong. */
export async function verifyReport(pathOrId: string, services: VerifyReportServices): Promise<VerifyReport> {
  const { launch, store } = services;
  const isPath = isAbsolute(pathOrId);
  const spec = isPath ? await readSpec(pathOrId, 'path') : await services.find(pathOrId);
  // The launch compares identities; asked for by name, every byte is read again.
  if (!isPath) await verify(spec, launch);
  const exception = isPath ? null : (store.plugins.get(recordId(spec))?.unsignedException ?? null);
  const { bundleSha256, trust, files, bytes } = await verifyFolder(spec, launch, exception);
  return { id: spec.id, version: spec.manifest.plugin.version, bundleSha256, trust, files, bytes };
}
