import { listPermissions, type Permission, permissionKey } from '@mmm/protocol';
import type { OpenCall } from '../clients/open-calls.ts';
import type { Prompter } from '../clients/prompter.ts';
import { covers } from './covers.ts';
import { decide } from './decide.ts';
import type { PermissionGuard } from './enforce.ts';
import { askOnce, type PermitServices, recordAnswer } from './permit.ts';
import type { PermittedPlugin } from './permitted.ts';

export interface FirstUseServices {
  readonly permit: PermitServices;
  readonly guard: Pick<PermissionGuard, 'enforce'>;
  /** Told what it may do by now, after each permission that was given. */
  onGranted?(granted: readonly Permission[]): void;
}

/**
 * The optional permissions of one launch. Whoever called the plugin is asked when the plugin first needs one that the
 * host itself can give while it runs; a no holds until the plugin is started again, so that it cannot be worn down.
 */
export class FirstUse {
  readonly #plugin: PermittedPlugin;
  readonly #services: FirstUseServices;
  readonly #granted: Permission[];
  readonly #refused = new Set<string>();
  readonly #asked = new Map<string, Promise<void>>();
  /** Keys of what it may longer than this host lives. */
  readonly #lasting: Set<string>;

  constructor(plugin: PermittedPlugin, services: FirstUseServices) {
    this.#plugin = plugin;
    this.#services = services;
    this.#granted = [...plugin.granted];
    this.#lasting = new Set([...plugin.stored, ...plugin.automatic]);
  }

  /** What the plugin may do by now. */
  get granted(): readonly Permission[] {
    return this.#granted;
  }

  /** Somebody reads a question: what waits for the plugin must not run out of time meanwhile. */
  get isAsking(): boolean {
    return this.#asked.size > 0;
  }

  /**
   * Returns when it is granted, after a question to the user of the call it is part of if need be. Throws RpcError
   * PermissionDenied; recorded.
   */
  async need(permission: Permission, call: OpenCall | undefined): Promise<void> {
    if (this.has(permission)) return;
    const optional = await this.#askIfOffered(permission, call);
    const { spec } = this.#plugin;
    const entry = optional ?? listPermissions(spec.manifest.permissions).find((one) => covers(one, permission));
    this.#services.guard.enforce({ spec, granted: this.#granted }, permission, entry);
  }

  has(permission: Permission): boolean {
    return this.#granted.some((granted) => covers(granted, permission));
  }

  /** What is granted, and for no longer than this host lives. */
  isOnce(permission: Permission): boolean {
    const covering = this.#granted.filter((granted) => covers(granted, permission));
    return covering.length > 0 && !covering.some((granted) => this.#lasting.has(permissionKey(granted)));
  }

  /** What the user decided while it runs. */
  change(granted: readonly Permission[], revoked: readonly string[]): void {
    const gone = new Set([...revoked, ...granted.map(permissionKey)]);
    const kept = this.#granted.filter((permission) => !gone.has(permissionKey(permission)));
    this.#granted.splice(0, Infinity, ...kept, ...granted);
    for (const key of revoked) {
      this.#lasting.delete(key);
      // Who took it away is not asked for it a moment later.
      this.#refused.add(key);
    }
    for (const permission of granted) {
      this.#lasting.add(permissionKey(permission));
      this.#refused.delete(permissionKey(permission));
    }
    this.#services.onGranted?.(this.#granted);
  }

  /** As `need`, for a plugin that asks before it needs it: false instead of a refusal that is recorded. */
  async offer(permission: Permission, call: OpenCall | undefined): Promise<boolean> {
    if (!this.has(permission)) await this.#askIfOffered(permission, call);
    return this.has(permission);
  }

  async #askIfOffered(permission: Permission, call: OpenCall | undefined): Promise<Permission | undefined> {
    const optional = this.#offered(permission);
    const prompter = call?.origin.prompter;
    if (optional === undefined || call === undefined || prompter === undefined) return optional;
    await call.whileAsking(() => this.#ask(optional, prompter));
    return optional;
  }

  /** What the manifest asks for, may be asked about, and would cover it. */
  #offered(permission: Permission): Permission | undefined {
    const { spec } = this.#plugin;
    const { policy, ...context } = this.#services.permit;
    const requested = listPermissions(spec.manifest.permissions);
    const { optional } = decide(requested, new Set(), policy, { ...context, plugin: spec.id });
    return optional.find((entry) => covers(entry, permission));
  }

  async #ask(permission: Permission, prompter: Prompter): Promise<void> {
    const key = permissionKey(permission);
    if (this.#refused.has(key)) return;
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#decide(permission, prompter).finally(() => this.#asked.delete(key));
      this.#asked.set(key, asked);
    }
    await asked;
  }

  async #decide(permission: Permission, prompter: Prompter): Promise<void> {
    const permit = { ...this.#services.permit, prompter };
    const answer = await askOnce(this.#plugin, [permission], permit).catch(() => 'deny' as const);
    const key = permissionKey(permission);
    if (answer === 'deny') {
      this.#refused.add(key);
      permit.audit.append({
        action: 'deny',
        plugin: this.#plugin.spec.id,
        detail: { permissions: [key], source: 'prompt' },
      });
      return;
    }
    recordAnswer(this.#plugin, [permission], answer, permit);
    if (answer === 'always') this.#lasting.add(key);
    this.#granted.push(permission);
    this.#services.onGranted?.(this.#granted);
  }
}
