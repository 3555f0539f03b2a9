import { type SigningKey, signBundle } from '@mmm/bundle';
import { checkBundle } from './check-bundle.ts';
import { readSpec } from './discover/spec.ts';
import { identityOf } from './packaging.ts';

export interface SignedPlugin {
  readonly id: string;
  readonly version: string;
  readonly indexSha256: string;
  readonly keyid: string;
  readonly files: number;
  /** What lies in the folder and is no part of the plugin; paths relative to the folder. */
  readonly leftOut: readonly string[];
}

/**
 * Signs a plugin folder in place: writes `.mmm/index.json` and `.mmm/signatures.json`, and keeps signatures of others
 * over the same bytes. A folder whose manifest is broken is not signed: throws what reading it throws.
 */
export async function signPlugin(directory: string, key: SigningKey): Promise<SignedPlugin> {
  // Without the facts of this host: a plugin for another platform is signed here too.
  const spec = await readSpec(directory, 'path', null);
  await checkBundle(spec);
  const identity = identityOf(spec);
  const signed = await signBundle(spec.directory, identity, key);
  return { id: identity.name, version: identity.version, ...signed };
}
