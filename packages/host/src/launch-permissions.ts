import { listPermissions, type Permission, parsePermissionKey, permissionKey } from '@mmm/protocol';
import type { PluginSpec } from './discover/spec.ts';
import { nameOf } from './egress/decide.ts';
import type { LaunchNetwork } from './egress/egress.ts';
import type { GrantWatch } from './grant-watch.ts';
import type { Session } from './handshake/session.ts';
import { publisherOf, recordId } from './identity.ts';
import type { UseRecorder } from './metrics/use-recorder.ts';
import { covers } from './permit/covers.ts';
import type { PermissionGuard } from './permit/enforce.ts';
import { FirstUse } from './permit/first-use.ts';
import type { PermitServices } from './permit/permit.ts';
import type { PermittedPlugin } from './permit/permitted.ts';

export interface LaunchPermissionsParts {
  readonly guard: PermissionGuard;
  readonly uses: UseRecorder;
  readonly watch: GrantWatch;
  /** Ends what runs when another process took a permission away. */
  onRevoked(spec: PluginSpec, reason: string): void;
}

/** The permissions of one launch while it runs: what it may by now, what it used, and who took something away. */
export class LaunchPermissions {
  readonly #parts: LaunchPermissionsParts;
  readonly #spec: PluginSpec;
  readonly #permit: PermitServices;
  #session: Session | undefined;
  #firstUse: FirstUse | undefined;

  constructor(spec: PluginSpec, permit: PermitServices, parts: LaunchPermissionsParts) {
    this.#spec = spec;
    this.#permit = permit;
    this.#parts = parts;
  }

  /** Somebody reads a question about it. */
  get isAsking(): boolean {
    return this.#firstUse?.isAsking ?? false;
  }

  /** Called once it is known what it may. */
  permitted(plugin: PermittedPlugin, network: LaunchNetwork): FirstUse {
    if (this.#firstUse !== undefined) return this.#firstUse;
    const { guard, uses } = this.#parts;
    const isCalled = (): boolean => (this.#session?.connection.inFlight ?? 0) > 0;
    const firstUse = new FirstUse(plugin, { permit: this.#permit, guard, isCalled });
    this.#firstUse = firstUse;
    // What a plugin under development does says nothing about the installed one.
    if (this.#spec.origin === 'development') return firstUse;
    const record = recordId(this.#spec);
    const requested = listPermissions(this.#spec.manifest.permissions);
    network.observe({
      allowed: (target) => {
        const needed = parsed(nameOf(target));
        const grant = needed && firstUse.granted.find((granted) => covers(granted, needed));
        if (grant !== undefined) uses.used(record, permissionKey(grant));
      },
      refused: (asked) => this.#refused(parsed(asked), record, requested),
    });
    return firstUse;
  }

  /** A refusal of the host's own, before the network was asked. */
  refused(permission: Permission): void {
    this.#refused(permission, recordId(this.#spec), listPermissions(this.#spec.manifest.permissions));
  }

  /** Called when it runs. */
  opened(session: Session): void {
    this.#session = session;
    const { plugin } = session;
    if (this.#spec.origin === 'development' || this.#spec.origin === 'registered') return;
    const unwatch = this.#parts.watch.watch({
      recordId: recordId(this.#spec),
      publisher: publisherOf(plugin.trust),
      stored: plugin.stored,
      enabledByDefault: this.#spec.origin !== 'project',
      stop: (reason) => this.#parts.onRevoked(this.#spec, reason),
    });
    void session.exited.then(unwatch);
  }

  #refused(permission: Permission | undefined, record: string, requested: readonly Permission[]): void {
    if (permission === undefined || this.#spec.origin === 'development') return;
    const entry = requested.find((one) => covers(one, permission)) ?? permission;
    this.#parts.uses.denied(record, permissionKey(entry));
  }
}

/** A target as a permission; undefined for what cannot be read as one. */
function parsed(target: string): Permission | undefined {
  const permission = parsePermissionKey(`network=${target}`);
  return 'problem' in permission ? undefined : permission;
}
