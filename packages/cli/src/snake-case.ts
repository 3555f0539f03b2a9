/**
 * What a document passes on as it is, because somebody else chose its keys: a plugin, its author, its user, or a
 * schema.
 */
const foreign: ReadonlySet<string> = new Set([
  'output',
  'manifest',
  'permission',
  'config',
  'params',
  'value',
  'default',
  'choices',
  'schema',
  'fields',
  'rpcData',
  'rpc_data',
  // Of an audit entry: as it was written, so that it can be found in the log.
  'detail',
]);

/** Gives what is printed with `--json` the spelling of its keys, and only here: `bundleSha256` → `bundle_sha256`. */
export function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [snakeKey(key), foreign.has(key) ? inner : snakeCased(inner)]),
  );
}

function snakeKey(key: string): string {
  return /^[a-z][A-Za-z0-9]*$/.test(key) ? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : key;
}

/** The way back, of what this program printed itself. */
export function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()),
      foreign.has(key) ? inner : camelCased(inner),
    ]),
  );
}
