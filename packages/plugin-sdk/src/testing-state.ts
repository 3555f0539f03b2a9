import { hostMethods, RpcError } from '@mmm/protocol';
import { onRequest, type RequestEntry } from '@mmm/rpc';

interface Entry {
  readonly value: unknown;
  readonly version: number;
}
interface Operation {
  readonly op: 'set' | 'delete' | 'check';
  readonly key: string;
  readonly value?: unknown;
  readonly if_version?: number | undefined;
}

/** The host's state in memory, with its versions and conflicts, so that a test needs no host to answer. */
export function stateHandlers(): Record<string, RequestEntry> {
  const scopes = new Map<string, Map<string, Entry>>();
  /** The versions that deleted keys had: none is used twice, as with a real host. */
  const floors = new Map<string, number>();
  const entriesOf = (scope: string): Map<string, Entry> => {
    const entries = scopes.get(scope) ?? new Map<string, Entry>();
    scopes.set(scope, entries);
    return entries;
  };
  const update = (scope: string, operations: readonly Operation[]): number[] => {
    const entries = new Map(entriesOf(scope));
    const versions = operations.map((operation) => {
      const place = JSON.stringify([scope, operation.key]);
      const before = entries.get(operation.key)?.version ?? 0;
      const version = apply(entries, operation, floors.get(place) ?? 0);
      if (operation.op === 'delete' && before > 0) floors.set(place, before);
      return version;
    });
    scopes.set(scope, entries);
    return versions;
  };
  const updateOne = (scope: string, operation: Operation): { version: number } => {
    const [version = 0] = update(scope, [operation]);
    return { version };
  };
  return {
    get_state: onRequest(hostMethods.get_state, ({ scope, key }) => ({ ...(entriesOf(scope).get(key) ?? absent) })),
    set_state: onRequest(hostMethods.set_state, ({ scope, ...rest }) => updateOne(scope, { op: 'set', ...rest })),
    delete_state: onRequest(hostMethods.delete_state, ({ scope, ...rest }) =>
      updateOne(scope, { op: 'delete', ...rest }),
    ),
    list_state: onRequest(hostMethods.list_state, ({ scope, key: prefix }) => ({
      items: [...entriesOf(scope)].flatMap(([key, { version }]) => (key.startsWith(prefix) ? [{ key, version }] : [])),
    })),
    update_state: onRequest(hostMethods.update_state, ({ scope, operations }) => ({
      versions: update(scope, operations),
    })),
  };
}

const absent: Entry = { value: null, version: 0 };

function apply(entries: Map<string, Entry>, { op, key, value, if_version: wanted }: Operation, floor: number): number {
  const current = entries.get(key)?.version ?? 0;
  if (wanted !== undefined && wanted !== current) {
    throw RpcError.of('VersionConflict', `"${key}" has version ${current}, not ${wanted}.`, { key, version: current });
  }
  const next = (current || floor) + 1;
  if (op === 'set') entries.set(key, { value: value ?? null, version: next });
  if (op === 'delete') entries.delete(key);
  return op === 'set' ? next : op === 'delete' ? 0 : current;
}
