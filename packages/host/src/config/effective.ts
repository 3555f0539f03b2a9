import type { ConfigField } from '../api-config.ts';
import type { StoredConfig } from './config-store.ts';
import type { Definition } from './definition.ts';
import { formatKey, isTable, type KeyPath, overlay, type Table, valueAt, withoutValue } from './document.ts';
import { type FieldNode, isSecretAt } from './field-tree.ts';
import { redacted } from './redactor.ts';

/** What the plugin gets: the manifest's defaults, over them what was set, and the schema's defaults in the gaps. */
export function effectiveConfig({ root, defaults }: Definition, stored: StoredConfig): Table {
  // Without a schema nothing can be set; what an earlier version took is not for this one.
  if (root === undefined) return defaults;
  return filled(root, overlay(overlay(defaults, stored.values), stored.secrets));
}

/** The parts of a configuration that are secret: those of the schema, and those that were entrusted as such before. */
export function secretsOf({ root }: Definition, config: Table, stored: StoredConfig): Table {
  return overlay(root === undefined ? {} : split(root, config).secrets, stored.secrets);
}

/** The same with `[secret]` in the place of each secret. */
export function withoutSecrets(root: FieldNode | undefined, config: Table, secrets: Table): Table {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => {
      const field = root?.fields.get(name);
      const apart = valueAt(secrets, [name]);
      const isSecret = field === undefined ? root?.restSecret === true : field.secret;
      if (isSecret || (apart !== undefined && !isTable(apart))) return [name, redacted];
      return [name, isTable(value) ? withoutSecrets(field, value, isTable(apart) ? apart : {}) : value];
    }),
  );
}

/** Divides a value into what may be seen and what is secret. */
export function split(node: FieldNode, table: Table): { readonly open: Table; readonly secrets: Table } {
  const open: Record<string, unknown> = {};
  const secrets: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(table)) {
    const field = node.fields.get(name);
    if (field === undefined ? node.restSecret : field.secret) {
      secrets[name] = value;
    } else if (field !== undefined && isTable(value)) {
      const inner = split(field, value);
      const hasSecrets = Object.keys(inner.secrets).length > 0;
      if (hasSecrets) secrets[name] = inner.secrets;
      if (!hasSecrets || Object.keys(inner.open).length > 0) open[name] = inner.open;
    } else {
      open[name] = value;
    }
  }
  return { open, secrets };
}

/** Every field the schema names and every other one that has a value, in the schema's order. */
export function listFields(definition: Definition, stored: StoredConfig): ConfigField[] {
  const { root, defaults } = definition;
  const byDefault = root === undefined ? defaults : filled(root, defaults);
  const config = effectiveConfig(definition, stored);
  const list: ConfigField[] = [];
  const visit = (node: FieldNode | undefined, table: Table, path: KeyPath, demanded: boolean): void => {
    const names = new Set([...(node?.fields.keys() ?? []), ...Object.keys(table)]);
    for (const name of names) {
      const field = node?.fields.get(name);
      const at = [...path, name];
      const required = demanded && node?.required.has(name) === true;
      const value = Object.hasOwn(table, name) ? table[name] : undefined;
      const secret = (root !== undefined && isSecretAt(root, at)) || valueAt(stored.secrets, at) !== undefined;
      if (field !== undefined && !field.secret && field.fields.size > 0 && (value === undefined || isTable(value))) {
        visit(field, value ?? {}, at, required);
        continue;
      }
      const isSet = valueAt(stored.values, at) !== undefined || valueAt(stored.secrets, at) !== undefined;
      const fallback = valueAt(byDefault, at) ?? null;
      list.push({
        key: formatKey(at),
        types: field?.types ?? [],
        choices: field?.choices ?? null,
        description: field?.description ?? null,
        required,
        secret,
        value: secret && value !== undefined ? redacted : (value ?? null),
        default: secret && fallback !== null ? redacted : fallback,
        from: isSet ? 'user' : value === undefined ? 'unset' : 'default',
      });
    }
  };
  visit(root, config, [], true);
  return list;
}

/** What was stored while a field was not secret yet is moved to the secrets. */
export function sorted(root: FieldNode, stored: StoredConfig): StoredConfig {
  const { open, secrets } = split(root, stored.values);
  if (Object.keys(secrets).length === 0) return stored;
  return { values: open, secrets: overlay(secrets, stored.secrets) };
}

/** Takes a field out of both halves. */
export function without({ values, secrets }: StoredConfig, path: KeyPath): StoredConfig {
  return { values: withoutValue(values, path), secrets: withoutValue(secrets, path) };
}

/** A table that nobody gave is made for its defaults alone only when that makes a whole one. */
function filled(node: FieldNode, table: Table): Table {
  const result: Record<string, unknown> = { ...table };
  for (const [name, field] of node.fields) {
    const value = Object.hasOwn(table, name) ? table[name] : field.default?.value;
    if (isTable(value)) {
      result[name] = filled(field, value);
    } else if (value !== undefined) {
      result[name] = value;
    } else if (field.fields.size > 0) {
      const made = filled(field, {});
      const isWhole = [...field.required].every((required) => Object.hasOwn(made, required));
      if (isWhole && Object.keys(made).length > 0) result[name] = made;
    }
  }
  return result;
}
