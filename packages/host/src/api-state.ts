import type { BackupReport } from './backup-home.ts';
import type { StateEntry, StateOperation } from './state/states.ts';
import type { SetAside } from './state-file.ts';

/** Whose values: those of one plugin, of the host's project, or of everybody. */
export type StatePlace = 'project' | 'global' | { readonly plugin: string };

export type { StateEntry, StateOperation };

/**
 * The values that plugins keep in the host, as its user sees them: all scopes, without a grant. Every change is on the
 * disk when its promise resolves, whole or not at all. Throws CONFIG_INVALID for what is no place, key or value,
 * PLUGIN_NOT_FOUND, STATE_QUOTA, and STATE_UNREADABLE when the disk fails.
 */
export interface HostState {
  /** Version 0 and null for a key that is absent. */
  get(place: StatePlace, key: string): Promise<StateEntry>;
  /** Returns the new version. With `ifVersion` throws STATE_CONFLICT unless that is the current one; 0 means absent. */
  set(place: StatePlace, key: string, value: unknown, options?: { readonly ifVersion?: number }): Promise<number>;
  /** One that is absent is no error. */
  delete(place: StatePlace, key: string, options?: { readonly ifVersion?: number }): Promise<void>;
  /** In the order of their bytes; all of them, or those that begin so. */
  list(place: StatePlace, prefix?: string): Promise<readonly { readonly key: string; readonly version: number }[]>;
  /** At most 64 operations, all or none. Returns the version after each; 0 for what was deleted. */
  update(place: StatePlace, operations: readonly StateOperation[]): Promise<readonly number[]>;
}

export interface HostStorage {
  /**
   * Writes what this home is at this moment into one file, 0600, while everything goes on: state and grants, settings,
   * trust, own keys, secrets and the audit log; not the plugins, nor their data folders. It holds keys and secrets.
   * Audited. Throws BACKUP_INVALID when there is a file already or it cannot be written.
   */
  backup(file: string): Promise<BackupReport>;
  readonly state: HostState;
  /**
   * The state file that was damaged when this host was opened, or null. In its place is one in which nothing is granted
   * and every installed plugin is disabled. Say it to your user; it is audited as well.
   */
  readonly setAside: SetAside | null;
}
