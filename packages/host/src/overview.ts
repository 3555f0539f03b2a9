import type { PluginInfo, PluginSummary } from './api.ts';
import { capabilitySummaries } from './capability-summary.ts';
import { quarantineOf, stateKinds } from './crash-history.ts';
import { describe, summarize } from './decisions.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { HostParts } from './host-parts.ts';
import { recordId } from './identity.ts';

/** Every plugin that is known, in a line each. */
export async function listPlugins(parts: HostParts): Promise<readonly PluginSummary[]> {
  const { catalog, crashes, handles, dependencies, decisions } = parts;
  const { plugins } = await catalog.discovery();
  const stateOf = stateKinds(crashes, (id) => handles.get(id));
  const needed = await dependencies.reports(plugins);
  return plugins.map((spec, index) => {
    const unmet = (needed[index] ?? []).filter(({ status, optional }) => status !== 'ready' && !optional);
    return { ...summarize(spec, decisions, stateOf(spec)), unmet: unmet.map(({ plugin }) => plugin) };
  });
}

/** All there is to say about one plugin. */
export async function pluginInfo(spec: PluginSpec, parts: HostParts): Promise<PluginInfo> {
  const { crashes, handles, dependencies, decisions, launcher, configurations, metrics, consents, resources } = parts;
  const handle = handles.get(spec.id);
  const quarantine = quarantineOf(spec, { crashes, handle });
  const [needed = []] = await dependencies.reports([spec]);
  const unmet = needed.filter(({ status, optional }) => status !== 'ready' && !optional);
  return {
    ...summarize(spec, decisions, handle?.state.kind ?? (quarantine === null ? 'stopped' : 'quarantined')),
    unmet: unmet.map(({ plugin }) => plugin),
    manifest: spec.manifest,
    capabilities: await capabilitySummaries(spec),
    permissions: describe(spec, decisions),
    dependencies: needed,
    step: consents.step(spec),
    update: await consents.update(spec),
    enforcement: handle?.session?.enforcement ?? (await launcher.probe()).dimensions,
    limits: resources.limitsOf(spec),
    configuration: await configurations.showAnyway(spec),
    statistics: metrics.read(spec.id),
    storedValues: decisions.store.values.ownUse(recordId(spec)),
    quarantine,
  };
}
