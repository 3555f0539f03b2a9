import type { PluginSpec } from '../discover/spec.ts';

/** Exists for the compiler only: it makes a plugin that skipped a stage another type. */
export declare const stage: unique symbol;

/** Who vouches for the bytes. `unsigned` exists only through an exception that names the plugin, and is audited. */
export type Trust =
  | {
      readonly kind: 'signed';
      readonly keyid: string;
      readonly keyName: string;
      /** The whole sha256 of the key, as people compare it. */
      readonly fingerprint: string;
      /** The first key of its line: what belongs to the publisher is filed under this, also after a rotation. */
      readonly publisher: string;
    }
  | { readonly kind: 'unsigned'; readonly exception: string }
  | { readonly kind: 'registered' };

/** A plugin whose every byte was checked and which will run from the read-only store, not from where it was found. */
export interface VerifiedPlugin {
  readonly [stage]: 'verified' | 'permitted';
  readonly spec: PluginSpec;
  /** sha256 of the index: the identity of the bundle. */
  readonly bundleSha256: string;
  /** Absolute path of `store/<bundleSha256>`: what runs. */
  readonly bundleDirectory: string;
  readonly trust: Trust;
}
