import {
  listPermissions,
  type Permission,
  parsePermissionKey,
  permissionKey,
  permissionSetOf,
  pluginMethods,
} from '@mmm/protocol';
import type { OpenCalls } from './clients/open-calls.ts';
import type { PluginSpec } from './discover/spec.ts';
import { nameOf } from './egress/decide.ts';
import type { LaunchNetwork } from './egress/egress.ts';
import type { GrantWatch } from './grant-watch.ts';
import type { Session } from './handshake/session.ts';
import type { Requester } from './host-api/requester.ts';
import type { HostRequestServices } from './host-requests.ts';
import { publisherOf, recordId } from './identity.ts';
import type { LiveGrants, LiveRun } from './live-grants.ts';
import type { UseRecorder } from './metrics/use-recorder.ts';
import { covers } from './permit/covers.ts';
import type { PermissionGuard } from './permit/enforce.ts';
import { FirstUse } from './permit/first-use.ts';
import type { PermitServices } from './permit/permit.ts';
import type { PermittedPlugin } from './permit/permitted.ts';

type AskerPart = 'requester' | 'granted';

export interface LaunchPermissionsParts {
  readonly guard: PermissionGuard;
  readonly uses: UseRecorder;
  readonly watch: GrantWatch;
  readonly live: LiveGrants;
  /** Ends what runs when another process took a permission away. */
  onRevoked(spec: PluginSpec, reason: string): void;
}

/** The permissions of one launch while it runs: what it may by now, what it used, and who took something away. */
export class LaunchPermissions implements LiveRun {
  readonly #parts: LaunchPermissionsParts;
  readonly #spec: PluginSpec;
  readonly #permit: PermitServices;
  #session: Session | undefined;
  #calls: OpenCalls | undefined;
  #firstUse: FirstUse | undefined;
  /** The stored grants that it rests on. */
  #stored: readonly string[] = [];

  constructor(spec: PluginSpec, permit: PermitServices, parts: LaunchPermissionsParts) {
    this.#spec = spec;
    this.#permit = permit;
    this.#parts = parts;
  }

  /** Somebody reads a question about it. */
  get isAsking(): boolean {
    return this.#firstUse?.isAsking === true || this.#calls?.isAsking === true;
  }

  /** Called once it is known what it may. */
  permitted(plugin: PermittedPlugin, network: LaunchNetwork, calls: OpenCalls): FirstUse {
    if (this.#firstUse !== undefined) return this.#firstUse;
    const { guard, uses } = this.#parts;
    const onGranted = (granted: readonly Permission[]): void => this.#tell(granted);
    const firstUse = new FirstUse(plugin, { permit: this.#permit, guard, onGranted });
    this.#firstUse = firstUse;
    this.#calls = calls;
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

  /** What serves the requests of the plugin, decided at each of them. */
  asker(plugin: PermittedPlugin, network: LaunchNetwork, calls: OpenCalls): Pick<HostRequestServices, AskerPart> {
    const firstUse = this.permitted(plugin, network, calls);
    return { requester: this.#requester(plugin, firstUse, calls), granted: () => firstUse.granted };
  }

  #requester(plugin: PermittedPlugin, firstUse: FirstUse, calls: OpenCalls): Requester {
    const record = recordId(this.#spec);
    const call: Requester['call'] = ({ callId }) => calls.find(callId);
    return {
      plugin: this.#spec.id,
      recordId: record,
      publisher: publisherOf(plugin.trust),
      call,
      granted: () => firstUse.granted,
      has: (permission) => firstUse.has(permission),
      offer: async (permission, request) => {
        const granted = await firstUse.offer(permission, request && call(request));
        if (!granted) this.#parts.guard.refused(this.#spec.id, { permission: permissionKey(permission) });
        return { granted, once: granted && firstUse.isOnce(permission) };
      },
      need: async (permission, request) => {
        await firstUse.need(permission, call(request ?? { callId: undefined })).catch((error: unknown) => {
          this.refused(permission);
          throw error;
        });
        // Uses of the network are counted where connections are made.
        if (permission.kind === 'network' || this.#spec.origin === 'development') return;
        const grant = firstUse.granted.find((granted) => covers(granted, permission));
        if (grant !== undefined) this.#parts.uses.used(record, permissionKey(grant));
      },
    };
  }

  change(granted: readonly Permission[], revoked: readonly string[]): void {
    const gone = new Set(revoked);
    this.#stored = [...this.#stored, ...granted.map(permissionKey)].filter((key) => !gone.has(key));
    this.#firstUse?.change(granted, revoked);
  }

  #tell(granted: readonly Permission[]): void {
    const permissions = permissionSetOf(granted);
    this.#session?.connection.notify(pluginMethods.permissions_changed, { permissions });
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
    this.#stored = plugin.stored;
    const stored = (): readonly string[] => this.#stored;
    const forget = this.#parts.live.add(this.#spec.id, this);
    const unwatch = this.#parts.watch.watch({
      recordId: recordId(this.#spec),
      publisher: publisherOf(plugin.trust),
      get stored() {
        return stored();
      },
      enabledByDefault: this.#spec.origin !== 'project',
      stop: (reason) => this.#parts.onRevoked(this.#spec, reason),
    });
    void session.exited.then(() => {
      forget();
      unwatch();
    });
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
