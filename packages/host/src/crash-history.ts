import type { PluginSpec } from './discover/spec.ts';
import { recordId } from './identity.ts';
import type { PluginHandle } from './plugin.ts';
import type { PluginState } from './plugin-state.ts';
import type { CrashMemories } from './store/crash-memory.ts';

/** A plugin that crashed too often. Nothing starts it before `untilMs`, epoch milliseconds; then one trial is made. */
export interface Quarantine {
  readonly untilMs: number;
  /** The last error, as its message says. Part of it may be the plugin's own words: show it with `safeText`. */
  readonly cause: string;
}

export interface ResetReport {
  readonly id: string;
  /** Crashes that were counted and no longer are. Those that led to a quarantine are not counted on. */
  readonly crashes: number;
  /** The quarantine that was lifted, or null. */
  readonly quarantine: Quarantine | null;
}

export interface CrashHistoryServices {
  readonly crashes: CrashMemories;
  /** The handle of the plugin in this host, if it has one. */
  readonly handle: Pick<PluginHandle, 'state' | 'reset'> | undefined;
}

/** What each plugin is: in this host, or as an earlier one left it. */
export function stateKinds(
  crashes: CrashMemories,
  handleOf: (id: string) => Pick<PluginHandle, 'state'> | undefined,
): (spec: PluginSpec) => PluginState['kind'] {
  const quarantined = crashes.quarantined();
  return (spec) => handleOf(spec.id)?.state.kind ?? (quarantined.has(recordId(spec)) ? 'quarantined' : 'stopped');
}

/** Null for a plugin that may be started. */
export function quarantineOf(spec: PluginSpec, { crashes, handle }: CrashHistoryServices): Quarantine | null {
  const state = handle?.state;
  if (state !== undefined) {
    return state.kind === 'quarantined' ? { untilMs: state.untilMs, cause: state.cause.message } : null;
  }
  const record = crashes.read(recordId(spec));
  if (record?.state !== 'quarantined') return null;
  return { untilMs: record.untilMs, cause: record.cause?.message ?? '' };
}

/** Forgets crashes, backoff and quarantine, here and for every later host. What runs stays running. */
export function resetCrashes(spec: PluginSpec, services: CrashHistoryServices): ResetReport {
  const { crashes, handle } = services;
  const id = recordId(spec);
  const report = {
    id: spec.id,
    crashes: crashes.read(id)?.crashes.length ?? 0,
    quarantine: quarantineOf(spec, services),
  };
  handle?.reset();
  crashes.forget(id);
  return report;
}
