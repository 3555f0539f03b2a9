import { safeText } from '@mmm/host/display';

/** `signed by "acme" (0123 4567 …)` with the whole fingerprint, or what it is instead, in capitals. */
export function trustText(trust: {
  readonly kind: string;
  readonly keyName?: string;
  readonly fingerprint?: string;
}): string {
  return trust.kind === 'signed'
    ? `signed by "${safeText(trust.keyName ?? '', 64)}" (${trust.fingerprint ?? ''})`
    : `${trust.kind.toUpperCase()}`;
}
