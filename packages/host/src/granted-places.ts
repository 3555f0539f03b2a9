import { homedir } from 'node:os';
import type { Permission } from '@mmm/protocol';
import type { PluginSpec } from './discover/spec.ts';
import { publisherOf, recordId } from './identity.ts';
import { expandPath } from './permit/paths.ts';
import { grantCommand } from './permit/permit.ts';
import { agreedPlace, isSamePlace, type Place, placeAt, withPlace } from './places/place.ts';
import type { GrantStore, Store } from './store/store.ts';
import type { Trust } from './verify/verified.ts';

/** What a permission leads to as it is agreed to; undefined for what is no path, and for what is not there yet. */
export function placeOfPermission(permission: Permission, project: string | undefined): string | undefined {
  if (permission.kind !== 'filesystem') return undefined;
  const context = { userHome: homedir(), ...(project === undefined ? {} : { project }) };
  const path = expandPath(permission.path, context);
  const place = path === undefined ? undefined : placeAt(path);
  return place === undefined ? undefined : withPlace(null, place);
}

/** Those of one plugin as it is signed. */
export function grantedPlaces(spec: PluginSpec, trust: Trust, { grants }: Pick<Store, 'grants'>): GrantedPlaces {
  return new GrantedPlaces(grants, { plugin: spec.id, recordId: recordId(spec), publisher: publisherOf(trust) });
}

/** Whose grants are looked at. */
export interface PlacesOf {
  readonly plugin: string;
  readonly recordId: string;
  readonly publisher: string;
}

/**
 * What the stored grants of one plugin led to when they were agreed to. What was not there at that moment, and a
 * project that comes later, is remembered as it is at the first launch that shows it.
 */
export class GrantedPlaces {
  readonly #grants: Pick<GrantStore, 'place' | 'pin'>;
  readonly #of: PlacesOf;

  constructor(grants: Pick<GrantStore, 'place' | 'pin'>, of: PlacesOf) {
    this.#grants = grants;
    this.#of = of;
  }

  /** False when the path that the grant means leads to something else than was agreed to. */
  accepts(key: string, now: Place): boolean {
    const { recordId, publisher } = this.#of;
    const text = this.#grants.place(recordId, publisher, key);
    // Granted by the policy, or for this once: the path was agreed to and not what it led to.
    if (text === undefined) return true;
    const agreed = agreedPlace(text, now.path);
    if (agreed !== undefined && !isSamePlace(agreed, now)) return false;
    const isKept = agreed !== undefined && agreed.boot === now.boot && agreed.node.inode === now.node.inode;
    if (!isKept) this.#grants.pin(recordId, publisher, key, withPlace(text, now));
    return true;
  }

  /** The command that agrees to what the path leads to now. */
  howToAgree(key: string): string {
    return grantCommand(this.#of.plugin, [key]);
  }
}
