import { createHash } from 'node:crypto';

/** One arming of a trigger of a plugin. */
export interface TriggerInstance {
  readonly plugin: string;
  /** The capability. */
  readonly trigger: string;
  /** Its name, for the plugin and in the journal: what tells its events from those of other instances. */
  readonly instance: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * The name of an instance that nobody named: the same for the same trigger and configuration, so that mappings share it
 * and a plugin that keeps something for it finds that again; another one for another configuration.
 */
export function instanceNameOf(trigger: string, config: unknown): string {
  const hash = createHash('sha256')
    .update(sorted([trigger, config]))
    .digest('hex');
  return `${trigger}-${hash.slice(0, 12)}`;
}

export function isSameInstance(left: TriggerInstance, right: TriggerInstance): boolean {
  return left.trigger === right.trigger && sorted(left.config) === sorted(right.config);
}

/** JSON in which the order of keys says nothing. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([left], [right]) => (left < right ? -1 : 1)))
      : item,
  );
}
