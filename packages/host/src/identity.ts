import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { PluginSpec } from './discover/spec.ts';
import { diskName, type Home } from './home.ts';
import type { Trust } from './verify/verified.ts';

/**
 * The name a plugin's decisions and data are kept under. A project's plugin is another plugin than an installed one of
 * the same name, and one of another project is another again: consent is bound to the folder it lies in.
 */
export function recordId(spec: PluginSpec): string {
  return spec.origin === 'project' ? `${spec.id}@${spec.directory}` : spec.id;
}

/** The plugin's own writable folder, `data/<name>`. */
export function dataDirectory(home: Home, spec: PluginSpec): string {
  const name = diskName(spec.id);
  if (spec.origin !== 'project') return join(home.data, name);
  return join(home.data, `${name}@${createHash('sha256').update(spec.directory).digest('hex').slice(0, 16)}`);
}

/** Grants are bound to who signed the plugin: the same name by another publisher starts with none. */
export function publisherOf(trust: Trust): string {
  return trust.kind === 'signed' ? trust.keyid : trust.kind;
}
