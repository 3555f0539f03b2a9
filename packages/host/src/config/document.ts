/** A JSON object. Made afresh by every function here, never changed. */
export type Table = Readonly<Record<string, unknown>>;
/** The names that lead to a field, from the outside in. */
export type KeyPath = readonly string[];

export function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `server.port` → two names; `\.` is a dot of a name. Undefined for a key with an empty name, or with `__proto__`. */
export function parseKey(key: string): KeyPath | undefined {
  const names = [''];
  for (let at = 0; at < key.length; at += 1) {
    const character = key.charAt(at);
    if (character === '.') names.push('');
    else names.push(names.pop() + (character === '\\' && at + 1 < key.length ? key.charAt(++at) : character));
  }
  return names.some((name) => name === '' || name === '__proto__') ? undefined : names;
}

export function formatKey(path: KeyPath): string {
  return path.map((name) => name.replace(/[.\\]/g, '\\$&')).join('.');
}

/** Undefined when there is none. */
export function valueAt(table: Table, [name, ...rest]: KeyPath): unknown {
  if (name === undefined) return table;
  const value = Object.hasOwn(table, name) ? table[name] : undefined;
  if (rest.length === 0) return value;
  return isTable(value) ? valueAt(value, rest) : undefined;
}

/** The table with a value put there; what stood in the way is replaced. */
export function withValue(table: Table, [name, ...rest]: KeyPath, value: unknown): Table {
  if (name === undefined) return isTable(value) ? value : {};
  if (rest.length === 0) return { ...table, [name]: value };
  const inner = Object.hasOwn(table, name) ? table[name] : undefined;
  return { ...table, [name]: withValue(isTable(inner) ? inner : {}, rest, value) };
}

/** The table without the field and without the tables that are empty then. */
export function withoutValue(table: Table, [name, ...rest]: KeyPath): Table {
  if (name === undefined || !Object.hasOwn(table, name)) return table;
  const { [name]: value, ...others } = table;
  if (rest.length === 0) return others;
  if (!isTable(value)) return table;
  const inner = withoutValue(value, rest);
  return Object.keys(inner).length === 0 ? others : { ...table, [name]: inner };
}

/** Tables are merged field by field; of anything else the upper one counts. */
export function overlay(below: Table, above: Table): Table {
  const merged: Record<string, unknown> = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const under = Object.hasOwn(below, name) ? below[name] : undefined;
    // Defined, not assigned: a field called `__proto__` stays a field.
    Object.defineProperty(merged, name, {
      value: isTable(value) && isTable(under) ? overlay(under, value) : value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return merged;
}
