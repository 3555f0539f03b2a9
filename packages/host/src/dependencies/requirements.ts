import { MmmError } from '@mmm/protocol';
import satisfies from 'semver/functions/satisfies.js';
import validRange from 'semver/ranges/valid.js';

/** What is asked of one plugin to know what must run before it. */
export interface DependentPlugin {
  readonly id: string;
  readonly version: string;
  readonly enabled: boolean;
  readonly dependencies: readonly Dependency[];
}

export interface Dependency {
  readonly plugin: string;
  /** A range as npm reads it: `^1.2.0`. A prerelease fits only a range that names one. */
  readonly version: string;
  readonly optional: boolean;
}

/** `ready`: there in a version that will do, with all that it requires itself. */
export type DependencyStatus = 'ready' | 'missing' | 'disabled' | 'version' | 'cycle';

/** One entry of a plugin's `[[dependencies]]` with what was found. */
export interface DependencyReport {
  readonly plugin: string;
  readonly range: string;
  readonly optional: boolean;
  /** The version that is there, or null. */
  readonly found: string | null;
  readonly status: DependencyStatus;
  /** From the plugin that was asked about to the one in the way; only the dependency itself when it is ready. */
  readonly chain: readonly string[];
  /** What is wrong and what mends it; empty when it is ready. */
  readonly sentence: string;
}

export type FindPlugin = (id: string) => DependentPlugin | undefined;

interface Obstacle {
  readonly status: Exclude<DependencyStatus, 'ready'>;
  readonly found: string | null;
  readonly chain: readonly string[];
  readonly range: string;
}

/** Looks at each dependency of a plugin and at what those require in turn. Starts nothing. */
export function dependencyReports(plugin: DependentPlugin, find: FindPlugin): readonly DependencyReport[] {
  const clear = new Set<string>();
  return plugin.dependencies.map((dependency) => {
    const { plugin: id, version: range, optional } = dependency;
    const obstacle = obstacleTo(dependency, [plugin.id], find, clear);
    const found = find(id)?.version ?? null;
    if (obstacle === undefined)
      return { plugin: id, range, optional, found, status: 'ready', chain: [id], sentence: '' };
    const { status, chain } = obstacle;
    return { plugin: id, range, optional, found, status, chain, sentence: sentenceOf(obstacle) };
  });
}

/**
 * What has to run before this plugin, optional ones that can be had included, in the order of the manifest. Throws
 * DEPENDENCY_MISSING or DEPENDENCY_CYCLE, with the chain of names that leads there, for what it requires and cannot
 * have; an optional one that cannot be had is left out.
 */
export function requirementsOf(plugin: DependentPlugin, find: FindPlugin): readonly Dependency[] {
  const clear = new Set<string>();
  return plugin.dependencies.filter((dependency) => {
    const obstacle = obstacleTo(dependency, [plugin.id], find, clear);
    if (obstacle === undefined) return true;
    if (dependency.optional) return false;
    throw obstacleError(plugin.id, obstacle);
  });
}

/**
 * The first thing in the way of a dependency, depth first; undefined when there is none. `clear` holds those that were
 * found to have nothing in their way: there may be many ways to one plugin, and each is looked at once.
 */
function obstacleTo(
  dependency: Dependency,
  path: readonly string[],
  find: FindPlugin,
  clear: Set<string>,
): Obstacle | undefined {
  const { plugin: id, version: range } = dependency;
  const chain = [...path, id];
  const found = find(id);
  if (path.includes(id)) return { status: 'cycle', found: found?.version ?? null, chain, range };
  if (found === undefined) return { status: 'missing', found: null, chain, range };
  if (!found.enabled) return { status: 'disabled', found: found.version, chain, range };
  if (!satisfies(found.version, range)) return { status: 'version', found: found.version, chain, range };
  if (clear.has(id)) return undefined;
  for (const next of found.dependencies) {
    const obstacle = next.optional ? undefined : obstacleTo(next, chain, find, clear);
    if (obstacle !== undefined) return obstacle;
  }
  clear.add(id);
  return undefined;
}

function obstacleError(plugin: string, obstacle: Obstacle): MmmError {
  const { status, chain, range, found } = obstacle;
  const message = `Plugin "${plugin}" was not started: ${sentenceOf(obstacle)}`;
  if (status === 'cycle') return new MmmError('DEPENDENCY_CYCLE', message, { plugin, chain });
  const dependency = chain.at(-1) ?? plugin;
  return new MmmError('DEPENDENCY_MISSING', message, { plugin, dependency, range, found, reason: status, chain });
}

function sentenceOf({ status, found, chain, range }: Obstacle): string {
  const [needs = '', id = ''] = chain.slice(-2);
  const way = chain.length > 2 ? ` (${chain.join(' → ')})` : '';
  switch (status) {
    case 'missing':
      return `"${needs}" needs "${id}" ${range}, and there is no plugin "${id}"${way}. Install it first.`;
    case 'disabled':
      return `"${needs}" needs "${id}", which is disabled${way}. Run: mmm plugin enable ${id}`;
    case 'version':
      return validRange(range) === null
        ? `"${needs}" needs "${id}" in the version "${range}", which is no range of versions${way}. ` +
            `Its author must correct [[dependencies]], for example to "^1.0.0".`
        : `"${needs}" needs "${id}" ${range}, and version ${found ?? 'none'} is there${way}. Install one that will do.`;
    case 'cycle':
      return (
        `what it needs leads in a circle: ${chain.join(' → ')}. One of them must do without the other: ` +
        'its author can mark the requirement `optional = true`.'
      );
  }
}
