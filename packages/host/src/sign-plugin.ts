import { basename } from 'node:path';
import { type SigningKey, signBundle } from '@mmm/bundle';
import { checkBundle } from './check-bundle.ts';
import { readSpec } from './discover/spec.ts';

export interface SignedPlugin {
  readonly id: string;
  readonly version: string;
  readonly indexSha256: string;
  readonly keyid: string;
  readonly files: number;
}

/**
 * Signs a plugin folder in place: writes `.mmm/index.json` and `.mmm/signatures.json`, and keeps signatures of others
 * over the same bytes. A folder whose manifest is broken is not signed: throws what reading it throws.
 */
export async function signPlugin(directory: string, key: SigningKey): Promise<SignedPlugin> {
  // Without the facts of this host: a plugin for another platform is signed here too.
  const spec = await readSpec(directory, 'path', null);
  await checkBundle(spec);
  const { name, version } = spec.manifest.plugin;
  const manifest = basename(spec.manifestFile) === 'plugin.yaml' ? 'plugin.yaml' : 'plugin.toml';
  const signed = await signBundle(spec.directory, { name, version, manifest }, key);
  return { id: name, version, ...signed };
}
