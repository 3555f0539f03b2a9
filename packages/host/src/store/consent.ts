/** A verified bundle of the store that is not the active one of its name, because it asks for more. */
export interface WaitingUpdateRecord {
  readonly bundleSha256: string;
  readonly version: string;
  /** The user excepted this bundle by name from needing a signature. */
  readonly isUnsigned: boolean;
  /** RFC 3339, UTC. */
  readonly stagedAt: string;
}

/** Which update waits for consent: at most one a plugin, the last that was offered. */
export interface WaitingUpdateStore {
  get(plugin: string): WaitingUpdateRecord | undefined;
  set(plugin: string, update: WaitingUpdateRecord): void;
  remove(plugin: string): void;
  /** The bundles that must stay in the store for it. */
  bundles(): readonly string[];
}

/** How the install step of a bundle ended. A step that nothing is recorded of has yet to run. */
export interface InstallStepRecord {
  readonly bundleSha256: string;
  readonly state: 'done' | 'failed' | 'skipped';
  /** Why it failed; empty otherwise. */
  readonly detail: string;
  /** RFC 3339, UTC. */
  readonly endedAt: string;
}

/** By the record id of a plugin and its bundle: each version has a step of its own. */
export interface InstallStepStore {
  get(plugin: string, bundleSha256: string): InstallStepRecord | undefined;
  set(plugin: string, step: InstallStepRecord): void;
  removeAll(plugin: string): void;
}

/** How often the host itself saw a permission used, and what of it refused. Epoch milliseconds. */
export interface PermissionUse {
  /** For a use that of the grant, for a denial that of what was asked for. */
  readonly key: string;
  readonly uses: number;
  readonly lastUsedMs: number | null;
  readonly denials: number;
  readonly lastDeniedMs: number | null;
}
export type UseDelta = PermissionUse;

export interface PermissionUseStore {
  /** Adds all of it or none. */
  add(plugin: string, deltas: readonly UseDelta[]): void;
  /** Sorted by key. */
  list(plugin: string): PermissionUse[];
  removeAll(plugin: string): void;
}
