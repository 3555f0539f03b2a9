import { MmmError } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';
import type { DiscoveryProblem } from './scan.ts';
import type { PluginOrigin, PluginSpec } from './spec.ts';

/** What reading one folder gave. A folder that could not be used still claims its name, where that is known. */
export type Finding =
  | { readonly kind: 'read'; readonly directory: string; readonly origin: PluginOrigin; readonly spec: PluginSpec }
  | {
      readonly kind: 'refused';
      readonly directory: string;
      readonly origin: PluginOrigin;
      readonly plugin: string | undefined;
      readonly error: MmmError;
    };

/** Highest first. */
const ranking: readonly PluginOrigin[] = ['registered', 'installed', 'project', 'user', 'system', 'path'];

/**
 * Decides which folder is the plugin of a name. Pure; keeps the order of its input within a rank.
 *
 * The highest rank wins and the others are reported as shadowed. Two folders of the same rank are ambiguous: neither is
 * used. Whether a plugin works does not matter: falling back to another folder would silently run other code than the
 * one its user put first.
 */
export function choose(findings: readonly Finding[]): { plugins: PluginSpec[]; problems: DiscoveryProblem[] } {
  const seen = new Set<string>();
  // One folder reached twice, by links or by two entries of the path, is one plugin of its highest rank.
  const ranked = ranking
    .flatMap((origin) => findings.filter((finding) => finding.origin === origin))
    .filter((finding) => {
      if (finding.kind === 'refused') return true;
      return !seen.has(finding.spec.directory) && seen.add(finding.spec.directory);
    });
  const byName = new Map<string, Finding[]>();
  for (const finding of ranked) {
    const name = nameOf(finding);
    if (name !== undefined) byName.set(name, [...(byName.get(name) ?? []), finding]);
  }
  const plugins: PluginSpec[] = [];
  const problems: DiscoveryProblem[] = ranked.flatMap((finding) => (finding.kind === 'read' ? [] : [refusal(finding)]));
  for (const [plugin, [first, ...others]] of byName) {
    if (first === undefined) continue;
    const rivals = others.filter(({ origin }) => origin === first.origin);
    if (rivals.length > 0) problems.push(...ambiguous(plugin, [first, ...rivals]));
    else if (first.kind === 'read') plugins.push(first.spec);
    for (const other of others.slice(rivals.length)) problems.push(shadowed(plugin, first, other));
  }
  return { plugins, problems };
}

function nameOf(finding: Finding): string | undefined {
  return finding.kind === 'read' ? finding.spec.id : finding.plugin;
}

function refusal({ error, directory, plugin }: Extract<Finding, { kind: 'refused' }>): DiscoveryProblem {
  const kind = error.code === 'PLUGIN_INCOMPATIBLE' ? 'incompatible' : 'broken';
  return { kind, directory, ...(plugin === undefined ? {} : { plugin }), error, message: error.message };
}

function ambiguous(plugin: string, rivals: readonly Finding[]): DiscoveryProblem[] {
  const directories = rivals.map(({ directory }) => directory);
  const list = directories.map((directory) => safeText(directory, 4096)).join(' and ');
  const message =
    `Plugin "${plugin}" is in ${list}, and neither comes before the other, so none of them is used. ` +
    'Remove or rename all but one.';
  const error = new MmmError('PLUGIN_NAME_TAKEN', message, { plugin, directories });
  return directories.map((directory) => ({ kind: 'duplicate', plugin, directory, error, message }));
}

function shadowed(plugin: string, winner: Finding, loser: Finding): DiscoveryProblem {
  const message =
    `Plugin "${plugin}" in ${safeText(loser.directory, 4096)} (${loser.origin}) is not used: the one in ` +
    `${safeText(winner.directory, 4096)} (${winner.origin}) comes first.`;
  return { kind: 'shadowed', plugin, directory: loser.directory, message };
}
