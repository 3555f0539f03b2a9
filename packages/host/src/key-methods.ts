import type { SigningKeyInfo, TrustedKey } from '@mmm/bundle';
import { checkArguments } from './arguments.ts';
import type { DecisionServices } from './decisions.ts';
import type { HostKeys } from './host-keys.ts';
import { createKey, type KeyServices, type KeyToTrust, revokeKey, trustKey } from './key-decisions.ts';
import {
  importRevocations,
  importRotation,
  issueRevocations,
  type RevocationsReport,
  type RevocationsToIssue,
  type RotationReport,
  rotateOwnKey,
} from './key-statements.ts';

/** The part of a host that decides about keys: each method checks its arguments and calls the function that knows. */
export abstract class KeyMethods implements HostKeys {
  readonly #services: DecisionServices & KeyServices;
  readonly #assertOpen: () => void;

  /** `assertOpen` throws HOST_CLOSED. */
  constructor(services: DecisionServices & KeyServices, assertOpen: () => void) {
    this.#services = services;
    this.#assertOpen = assertOpen;
  }

  async createKey(name: string, options: { readonly role?: 'publisher' | 'root' } = {}): Promise<SigningKeyInfo> {
    this.#assertOpen();
    checkArguments('host.createKey', { name, options });
    return await createKey(name, options.role ?? 'publisher', this.#services);
  }

  async trustKey(key: KeyToTrust): Promise<TrustedKey> {
    this.#assertOpen();
    checkArguments('host.trustKey', { key });
    return await trustKey(key, this.#services);
  }

  async revokeKey(key: string, reason: string): Promise<TrustedKey> {
    this.#assertOpen();
    checkArguments('host.revokeKey', { key, reason });
    return await revokeKey(key, reason, this.#services);
  }

  async rotateKey(name?: string, options: { readonly cutoverAt?: Date } = {}): Promise<RotationReport> {
    this.#assertOpen();
    checkArguments('host.rotateKey', { name, options });
    return await rotateOwnKey(name, options.cutoverAt, this.#services);
  }

  async importRotation(text: string, file = 'the rotation'): Promise<RotationReport> {
    this.#assertOpen();
    checkArguments('host.importRotation', { text, file });
    return await importRotation(text, file, this.#services);
  }

  async issueRevocations(revocations: RevocationsToIssue): Promise<RevocationsReport & { readonly statement: string }> {
    this.#assertOpen();
    checkArguments('host.issueRevocations', { revocations });
    return await issueRevocations(revocations, this.#services);
  }

  async importRevocations(text: string, file = 'the revocation list'): Promise<RevocationsReport> {
    this.#assertOpen();
    checkArguments('host.importRevocations', { text, file });
    return await importRevocations(text, file, this.#services);
  }
}
