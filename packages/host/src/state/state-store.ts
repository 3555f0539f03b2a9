import type { StateSpace, StateWriter } from '../store/state-values.ts';
import type { StateEntry, StateOperation } from './states.ts';

/**
 * Where the values that plugins keep in the host lie. The host asks it after the permission was checked. What resolved
 * must be kept; versions count the changes of a key from 1, and a key that is absent has version 0. It bounds what one
 * writer may keep, if anything shall. An Error of another kind than StateRefusal is told the plugin without its words.
 */
export interface StateStore {
  /** Value null and version 0 for a key that is absent. */
  get(space: StateSpace, key: string): Promise<StateEntry>;
  list(space: StateSpace, prefix: string): Promise<readonly { readonly key: string; readonly version: number }[]>;
  /**
   * All operations in their order, or none. Returns the version after each, 0 for what was deleted. Rejects with
   * `StateRefusal.conflict` when an `ifVersion` is not the current version.
   */
  update(space: StateSpace, operations: readonly StateOperation[], writer: StateWriter): Promise<readonly number[]>;
}
