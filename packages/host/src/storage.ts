import type { HostState } from './api-state.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { HostParts } from './host-parts.ts';
import { StateAccess } from './state-access.ts';
import { verify } from './verify/verify.ts';

/** What a host keeps, for whoever embeds it. `find` throws HOST_CLOSED and PLUGIN_NOT_FOUND. */
export function stateOf(parts: HostParts, find: (id: string) => Promise<PluginSpec>): HostState {
  const { store, options, launcher, assertOpen } = parts;
  return new StateAccess({
    store,
    project: options.project,
    stateStore: options.stateStore,
    find,
    assertOpen,
    trustOf: async (spec) => (await verify(spec, launcher.verifyServices())).trust,
  });
}
