import type { Permission } from '@mmm/protocol';
import { neverPassed } from '../environment/names.ts';

export interface EnvironmentParts {
  readonly plugin: string;
  /** HOME, as the plugin sees it. */
  readonly home: string;
  /** TMPDIR, as the plugin sees it. */
  readonly temporary: string;
  /** PWD: the plugin folder as the plugin sees it. */
  readonly directory: string;
  readonly granted: readonly Permission[];
  /** Where granted names take their values from; nothing else of it is used. */
  readonly host: Readonly<Record<string, string>>;
  /** What the network access of this launch adds, such as the proxy variables. */
  readonly network?: Readonly<Record<string, string>>;
}

/**
 * The whole environment of a plugin, built from nothing. What mmm sets itself cannot be replaced by a grant. A granted
 * name that the host does not have is left out.
 */
export function pluginEnvironment(parts: EnvironmentParts): Record<string, string> {
  return {
    ...grantedVariables(parts.granted, parts.host),
    ...parts.network,
    PATH: '/usr/bin:/bin',
    HOME: parts.home,
    TMPDIR: parts.temporary,
    LANG: 'C.UTF-8',
    PWD: parts.directory,
    MMM_PROTOCOL: '1',
    MMM_PLUGIN: parts.plugin,
  };
}

function grantedVariables(
  granted: readonly Permission[],
  host: Readonly<Record<string, string>>,
): Record<string, string> {
  const names = granted.flatMap((permission) => (permission.kind === 'environment' ? [permission.name] : []));
  const exact = new Set(names.filter((name) => !name.endsWith('*')));
  const prefixes = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(host)) {
    const isGranted = exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
    // A wildcard may reach what no grant can pass on.
    if (isGranted && neverPassed(name) === undefined) found[name] = value;
  }
  return found;
}
