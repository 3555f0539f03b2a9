import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { PluginSpec } from './discover/spec.ts';
import { diskName, type Home } from './home.ts';
import type { Trust } from './verify/verified.ts';

/** The folder that gave a plugin decisions and data of its own; undefined for one that is known by its name alone. */
function boundFolder(spec: PluginSpec): string | undefined {
  if (spec.origin === 'development') return `development:${spec.source ?? spec.directory}`;
  return spec.origin === 'project' ? spec.directory : undefined;
}

/**
 * The name a plugin's decisions and data are kept under. A project's plugin is another plugin than an installed one of
 * the same name, and one of another project is another again: consent is bound to the folder it lies in. The same goes
 * for a plugin under development.
 */
export function recordId(spec: PluginSpec): string {
  const folder = boundFolder(spec);
  return folder === undefined ? spec.id : `${spec.id}@${folder}`;
}

/** What its data folder and its file of secrets are called. */
export function privateName(spec: PluginSpec): string {
  const name = diskName(spec.id);
  const folder = boundFolder(spec);
  return folder === undefined ? name : `${name}@${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`;
}

/** The plugin's own writable folder, `data/<name>`. */
export function dataDirectory(home: Home, spec: PluginSpec): string {
  return join(home.data, privateName(spec));
}

/** Grants are bound to who signed the plugin: the same name by another publisher starts with none. */
export function publisherOf(trust: Trust): string {
  return trust.kind === 'signed' ? trust.publisher : trust.kind;
}
