import { basename } from 'node:path';
import {
  chooseKey,
  type MinisignSignature,
  minisignMessage,
  parseMinisign,
  parseMinisignKey,
  parsePublicKey,
  type TrustStore,
  verifyMinisign,
} from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { TrustSummary } from './api.ts';
import type { MinisignReport, MinisignToVerify, VerifyReport } from './api-bundles.ts';
import { safeText } from './display/safe-text.ts';
import { isArchive, type PluginSource, type SourceServices, withSource } from './plugin-source.ts';

interface Signer {
  /** As minisign calls it. */
  readonly keyid: string;
  /** Of the trust store; undefined for a key that was given. */
  readonly trustedKeyid: string | undefined;
  readonly keyName: string | null;
}

/**
 * Checks a minisign signature over the bytes of an archive, instead of the signatures in it, and that the archive is
 * whole. With a key it is that one that must have signed; without, one that is trusted for the plugin. Throws USAGE for
 * what is no archive, SIGNATURE_REJECTED, SIGNATURE_UNTRUSTED, KEY_*, BUNDLE_*.
 */
export async function verifyByMinisign(
  path: string,
  { signature: text, key }: MinisignToVerify,
  services: SourceServices,
): Promise<VerifyReport> {
  if (!isArchive(path)) {
    const message = `A minisign signature is over an archive (.mmmp), and ${safeText(path, 4096)} is none.`;
    throw new MmmError('USAGE', message, { argument: '--minisign' });
  }
  const signature = parseMinisign(text);
  if ('problem' in signature) throw rejected(path, '', `the minisign file cannot be used: ${signature.problem}`);
  const message = await minisignMessage(path, signature.algorithm);
  const signer = await signerOf(path, signature, message, key, services.trust);
  return await withSource(path, services, { host: null }, async (source) => {
    const { spec, staged } = source;
    if (signer.trustedKeyid !== undefined) {
      chooseKey([signer.trustedKeyid], { name: spec.id, trust: services.trust, now: services.now() });
    }
    const files = staged?.bundle.index.files ?? [];
    const minisign: MinisignReport = {
      keyid: signer.keyid,
      keyName: signer.keyName,
      trustedComment: signature.trustedComment,
      prehashed: signature.algorithm === 'ED',
    };
    return {
      id: spec.id,
      version: spec.manifest.plugin.version,
      bundleSha256: staged?.bundle.indexSha256 ?? '',
      trust: await ownTrust(source),
      files: files.length,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
      minisign,
    };
  });
}

async function signerOf(
  path: string,
  signature: MinisignSignature,
  message: Uint8Array,
  given: string | undefined,
  trust: TrustStore,
): Promise<Signer> {
  const { keyid } = signature;
  if (given !== undefined) {
    const key = parseMinisignKey(given);
    if (key.keyid !== keyid)
      throw untrusted(path, keyid, `it names the key ${keyid}, and the one given is ${key.keyid}`);
    if (await verifyMinisign(message, signature, key.publicKey))
      return { keyid, trustedKeyid: undefined, keyName: null };
    throw rejected(path, keyid, 'it was made over other bytes, or its trusted comment was changed');
  }
  trust.refresh();
  for (const key of trust.list()) {
    if (await verifyMinisign(message, signature, parsePublicKey(key.publicKey))) {
      return { keyid, trustedKeyid: key.keyid, keyName: key.name };
    }
  }
  const reason =
    'no key of the trust store made it over these bytes. Name the key with --key if you have it from its owner';
  throw untrusted(path, keyid, reason);
}

/** Whether the signatures inside, which were not asked about, would do as well. */
async function ownTrust(source: PluginSource): Promise<TrustSummary> {
  try {
    const { trust } = await source.verify(null);
    if (trust.kind !== 'signed') return { kind: 'unverified' };
    const { keyid, keyName, fingerprint } = trust;
    return { kind: 'signed', keyid, keyName, fingerprint };
  } catch (error) {
    if (error instanceof MmmError) return { kind: 'unverified' };
    throw error;
  }
}

function rejected(path: string, keyid: string, reason: string): MmmError<'SIGNATURE_REJECTED'> {
  const plugin = basename(path);
  const message = `The minisign signature of ${safeText(plugin)} does not hold: ${reason}. Get both files again.`;
  return new MmmError('SIGNATURE_REJECTED', message, { plugin, keyid, reason });
}

function untrusted(path: string, keyid: string, reason: string): MmmError<'SIGNATURE_UNTRUSTED'> {
  const plugin = basename(path);
  const message = `The minisign signature of ${safeText(plugin)} is by nobody you trust: ${reason}.`;
  return new MmmError('SIGNATURE_UNTRUSTED', message, { plugin, keyids: [keyid] });
}
