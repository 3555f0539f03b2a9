import { listPermissions, type Permission, permissionKey } from '@mmm/protocol';
import { covers } from './covers.ts';
import { decide } from './decide.ts';
import type { PermissionGuard } from './enforce.ts';
import { askOnce, type PermitServices, recordAnswer } from './permit.ts';
import type { PermittedPlugin } from './permitted.ts';

export interface FirstUseServices {
  readonly permit: PermitServices;
  readonly guard: Pick<PermissionGuard, 'enforce'>;
  /** Somebody waits for an answer of the plugin: the one who is asked. */
  isCalled(): boolean;
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

  constructor(plugin: PermittedPlugin, services: FirstUseServices) {
    this.#plugin = plugin;
    this.#services = services;
    this.#granted = [...plugin.granted];
  }

  /** What the plugin may do by now. */
  get granted(): readonly Permission[] {
    return this.#granted;
  }

  /** Somebody reads a question: what waits for the plugin must not run out of time meanwhile. */
  get isAsking(): boolean {
    return this.#asked.size > 0;
  }

  /** Returns when it is granted, after a question if need be. Throws RpcError PermissionDenied; recorded. */
  async need(permission: Permission): Promise<void> {
    if (this.#granted.some((granted) => covers(granted, permission))) return;
    const optional = this.#offered(permission);
    if (optional !== undefined && this.#services.isCalled()) await this.#ask(optional);
    const { spec } = this.#plugin;
    const entry = optional ?? listPermissions(spec.manifest.permissions).find((one) => covers(one, permission));
    this.#services.guard.enforce({ spec, granted: this.#granted }, permission, entry);
  }

  /** What the manifest asks for, may be asked about, and would cover it. */
  #offered(permission: Permission): Permission | undefined {
    const { spec } = this.#plugin;
    const { policy, ...context } = this.#services.permit;
    const requested = listPermissions(spec.manifest.permissions);
    const { optional } = decide(requested, new Set(), policy, { ...context, plugin: spec.id });
    return optional.find((entry) => covers(entry, permission));
  }

  async #ask(permission: Permission): Promise<void> {
    const key = permissionKey(permission);
    if (this.#refused.has(key) || this.#services.permit.prompter === undefined) return;
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#decide(permission).finally(() => this.#asked.delete(key));
      this.#asked.set(key, asked);
    }
    await asked;
  }

  async #decide(permission: Permission): Promise<void> {
    const { permit } = this.#services;
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
    this.#granted.push(permission);
  }
}
