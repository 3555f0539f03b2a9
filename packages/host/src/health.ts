import { stateKinds } from './crash-history.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Handles } from './handles.ts';
import { type LiveFigures, pluginFamilies } from './metrics/families.ts';
import { prometheusText } from './metrics/prometheus.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import type { PluginHandle } from './plugin.ts';
import type { PluginState } from './plugin-state.ts';
import type { ProcessRecords } from './processes/process-records.ts';
import { type RunningUsage, runningUsage } from './processes/running-usage.ts';
import type { CrashMemories } from './store/crash-memory.ts';

/** What a plugin does at this moment. */
export interface PluginHealth extends LiveFigures {
  readonly id: string;
  readonly state: PluginState['kind'];
  /** The first process of each of it that runs, also those that another process of this home started. */
  readonly pids: readonly number[];
}

export interface HealthServices {
  readonly handles: Handles;
  readonly metrics: MetricsRecorder;
  readonly records: ProcessRecords;
  readonly crashes: CrashMemories;
}

/** Of each of these plugins. One look at the machine, however many there are. */
export function healthOf(specs: readonly PluginSpec[], services: HealthServices): readonly PluginHealth[] {
  const { records, handles, crashes } = services;
  const usage = runningUsage(records);
  const stateOf = stateKinds(crashes, (id) => handles.get(id));
  return specs.map((spec) => ({
    ...figuresOf(handles.get(spec.id), usage.get(spec.id)),
    id: spec.id,
    state: stateOf(spec),
  }));
}

/** Everything that is known of the plugins, in the text format of Prometheus. */
export function metricsText(specs: readonly PluginSpec[], services: HealthServices): string {
  const versions = new Map(specs.map(({ id, manifest }) => [id, manifest.plugin.version]));
  const figures = healthOf(specs, services).map((live) => {
    const { id } = live;
    return { id, version: versions.get(id) ?? '', live, statistics: services.metrics.read(id) };
  });
  return prometheusText(pluginFamilies(figures));
}

function figuresOf(
  handle: PluginHandle | undefined,
  usage: RunningUsage | undefined,
): Omit<PluginHealth, 'id' | 'state'> {
  const state = handle?.state;
  return {
    startedAtMs: state?.kind === 'running' || state?.kind === 'degraded' ? state.sinceMs : null,
    inFlight: handle?.inFlight ?? 0,
    queued: handle?.queued ?? 0,
    pids: usage?.pids ?? [],
    memoryBytes: usage?.memoryBytes ?? null,
    cpuMs: usage?.cpuMs ?? null,
  };
}
