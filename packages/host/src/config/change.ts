import { type FieldIssue, MmmError, wireLimits } from '@mmm/protocol';
import type { ConfigChange } from '../api-config.ts';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import { isMissing, issuesSentence, type Suggest } from '../schema/field-issues.ts';
import type { StoredConfig } from './config-store.ts';
import type { Definition } from './definition.ts';
import { formatKey, isTable, type KeyPath, overlay, parseKey, type Table, valueAt, withValue } from './document.ts';
import { listFields, sorted, split, without } from './effective.ts';
import { type FieldNode, isSecretAt } from './field-tree.ts';

/** The plugin whose configuration it is, as errors name it. */
export interface ConfigSubject {
  readonly plugin: string;
  /** The path of the schema in the bundle. */
  readonly schema: string | undefined;
}

/**
 * What is stored after a change. Nothing but the keys is checked here: whether the whole is valid, `Definition.check`
 * says. Throws CONFIG_INVALID for keys the schema does not know, with the nearest one.
 */
export function applyChange(
  subject: ConfigSubject,
  definition: Definition,
  stored: StoredConfig,
  change: ConfigChange,
  suggest: Suggest,
): StoredConfig {
  const { root } = definition;
  if (root === undefined) throw notConfigurable(subject);
  const issues: FieldIssue[] = [];
  let next = sorted(root, stored);
  if (change.replace !== undefined) {
    checkShape('the whole', change.replace, issues);
    const { open, secrets } = split(root, change.replace);
    for (const key of keysOf(secrets)) issues.push({ path: key, message: `is a secret: set it apart from the others` });
    issues.push(...unknownFields(root, change.replace, [], suggest));
    next = { values: open, secrets: next.secrets };
  }
  for (const key of change.unset ?? []) {
    const path = pathOf(key, issues);
    if (path === undefined) continue;
    const isSet = valueAt(next.values, path) !== undefined || valueAt(next.secrets, path) !== undefined;
    if (!isSet) issues.push({ path: key, message: `is not set${nearestKey(key, definition, stored, suggest)}` });
    next = without(next, path);
  }
  for (const [key, value] of Object.entries(change.set ?? {})) {
    const path = pathOf(key, issues);
    if (path === undefined || !checkShape(key, value, issues)) continue;
    const given = withValue({}, path, value);
    issues.push(...unknownFields(root, given, [], suggest));
    const rest = without(next, path);
    const secret = isSecretBranch(root, path, value) || Object.keys(split(root, given).secrets).length > 0;
    if (secret && change.visible?.includes(key) === true) issues.push({ path: key, message: stoodOpen });
    const { open, secrets } = isSecretBranch(root, path, value) ? { open: {}, secrets: given } : split(root, given);
    next = { values: overlay(rest.values, open), secrets: overlay(rest.secrets, secrets) };
  }
  issues.push(...bounds(next));
  if (issues.length > 0) throw refused(subject, issues);
  return next;
}

/** The error of a change that was not made. */
export function refused(subject: ConfigSubject, issues: readonly FieldIssue[]): MmmError<'CONFIG_INVALID'> {
  const { plugin } = subject;
  return new MmmError(
    'CONFIG_INVALID',
    `The configuration of ${plugin} was not changed: ${issuesSentence(issues)}. ` +
      `See what it takes with: mmm plugin config get ${plugin}`,
    { file: subject.schema ?? 'plugin.toml', plugin, issues },
  );
}

/** The error of a start that cannot be, with the command that mends each field. */
export function notReady(
  subject: ConfigSubject,
  definition: Definition,
  issues: readonly FieldIssue[],
): MmmError<'CONFIG_INVALID'> {
  const { plugin } = subject;
  const fixes = issues.map(({ path }) => {
    const key = parseKey(path);
    const isSecret = key !== undefined && definition.root !== undefined && isSecretAt(definition.root, key);
    return `\n  mmm plugin config set ${plugin} ${path} ${isSecret ? '-' : 'VALUE'}`;
  });
  const what = issues.every(isMissing) ? 'is not complete' : 'is not valid';
  return new MmmError(
    'CONFIG_INVALID',
    `${plugin} was not started: its configuration ${what}: ${issuesSentence(issues)}. Run:${fixes.join('')}`,
    { file: subject.schema ?? 'plugin.toml', plugin, issues },
  );
}

export function notConfigurable({ plugin }: ConfigSubject): MmmError<'CONFIG_INVALID'> {
  const reason = 'has no configuration schema';
  return new MmmError(
    'CONFIG_INVALID',
    `${plugin} cannot be configured: its manifest names no schema under [config], so nothing of it can be set.`,
    { file: 'plugin.toml', plugin, issues: [{ path: 'config.schema', message: reason }] },
  );
}

/** The keys of everything in a table. */
export function keysOf(table: Table, path: KeyPath = []): string[] {
  return Object.entries(table).flatMap(([name, value]) =>
    isTable(value) && Object.keys(value).length > 0 ? keysOf(value, [...path, name]) : [formatKey([...path, name])],
  );
}

/** ` Did you mean "x"?`, or nothing. */
export function nearestKey(key: string, definition: Definition, stored: StoredConfig, suggest: Suggest): string {
  const near = suggest(
    key,
    listFields(definition, stored).map((field) => field.key),
  );
  return near === undefined ? '' : `; did you mean ${near}?`;
}

const stoodOpen =
  'is a secret, and a command line stands in the history of the shell and in the list of processes: ' +
  'give its value on standard input, with - in its place';

function pathOf(key: string, issues: FieldIssue[]): KeyPath | undefined {
  const path = parseKey(key);
  if (path === undefined) issues.push({ path: safeText(key, 80), message: 'is not a key: names are joined by dots' });
  return path;
}

/** A value that is no table in the place of a table that holds a secret may be that secret in the wrong place. */
function isSecretBranch(root: FieldNode, path: KeyPath, value: unknown): boolean {
  return !isTable(value) && isSecretAt(root, path);
}

/**
 * Fields without a name in the schema, unless it says that it takes such. JSON Schema takes them when nothing is said;
 * here that would put a mistyped secret among the values that are shown.
 */
function unknownFields(node: FieldNode, table: Table, path: KeyPath, suggest: Suggest): FieldIssue[] {
  return Object.entries(table).flatMap(([name, value]): FieldIssue[] => {
    const field = node.fields.get(name);
    if (field === undefined) {
      if (node.open || node.fields.size === 0) return [];
      const near = suggest(name, node.fields.keys());
      const hint = near === undefined ? '' : `; did you mean ${formatKey([...path, near])}?`;
      return [{ path: safeText(formatKey([...path, name]), 200), message: `is not a known field${hint}` }];
    }
    return isTable(value) && !field.secret ? unknownFields(field, value, [...path, name], suggest) : [];
  });
}

function bounds(next: StoredConfig): FieldIssue[] {
  if (JSON.stringify(next).length <= hostLimits.configBytes) return [];
  return [{ path: 'the whole', message: `is larger than ${hostLimits.configBytes / 1024} KiB` }];
}

function checkShape(path: string, value: unknown, issues: FieldIssue[]): boolean {
  // A key has a depth of its own.
  const message = shapeProblem(value, path.split('.').length);
  if (message !== undefined) issues.push({ path, message });
  return message === undefined;
}

function shapeProblem(value: unknown, depth: number): string | undefined {
  if (depth > wireLimits.depth - 8) return 'is nested too deeply';
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, '__proto__')) return 'has a field called __proto__, which nobody may have';
  for (const part of Object.values(value)) {
    const problem = shapeProblem(part, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
