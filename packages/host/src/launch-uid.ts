import type { PluginSpec } from './discover/spec.ts';
import { recordId } from './identity.ts';
import { hostLimits } from './limits.ts';
import type { PluginRecords } from './store/store.ts';

/** Under which uid a plugin is launched. Never root: a root host gives each plugin a uid of its own. */
export function launchUid(spec: PluginSpec, plugins: Pick<PluginRecords, 'uidOf'>): number {
  const own = process.getuid?.() ?? 0;
  return own === 0 ? plugins.uidOf(recordId(spec), hostLimits.pluginUidFirst) : own;
}

/** Under which uid the means of confinement are tried: of no plugin. */
export function probeUid(): number {
  const own = process.getuid?.() ?? 0;
  return own === 0 ? hostLimits.pluginUidFirst - 1 : own;
}
