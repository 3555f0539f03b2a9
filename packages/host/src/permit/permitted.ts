import type { Permission } from '@mmm/protocol';
import type { stage, VerifiedPlugin } from '../verify/verified.ts';

/** A verified plugin with the permissions it runs under: granted by its user or by policy. */
export interface PermittedPlugin extends VerifiedPlugin {
  readonly [stage]: 'permitted';
  /** Everything it may do, each an entry of its manifest. */
  readonly granted: readonly Permission[];
  /** The keys of those in `granted` that nobody was asked about, because the policy grants them. */
  readonly automatic: readonly string[];
  /** The keys of those in `granted` that rest on a stored grant: taken away, the plugin is stopped. */
  readonly stored: readonly string[];
}
