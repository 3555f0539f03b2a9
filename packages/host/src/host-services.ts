import { basename } from 'node:path';
import type { CapabilityRef } from '@mmm/protocol';
import { passiveKinds } from '@mmm/protocol';
import { findCapability } from './call/find-capability.ts';
import type { Catalog } from './catalog.ts';
import { isEnabled } from './decisions.ts';
import type { PluginSpec } from './discover/spec.ts';
import { readYaml } from './discover/yaml-source.ts';
import type { Handles } from './handles.ts';
import { Lanes } from './host-api/lanes.ts';
import type { ModelResponse } from './host-api/model-requests.ts';
import { Outgoing } from './host-api/outgoing.ts';
import type { Peer, Peers } from './host-api/peers.ts';
import type { HostServices } from './host-requests.ts';
import { hostLimits } from './limits.ts';
import type { ResolvedOptions } from './options.ts';
import type { PluginHandle } from './plugin.ts';
import { Specs } from './project/specs.ts';
import { routeOf } from './settings/models.ts';
import { States } from './state/states.ts';
import type { Store } from './store/store.ts';

export interface HostServicesParts {
  readonly options: ResolvedOptions;
  readonly store: Store;
  readonly catalog: Pick<Catalog, 'discovery'>;
  readonly handles: Handles;
  readonly events: HostServices['events'];
  open(id: string): Promise<PluginHandle>;
}

/** What serves requests of plugins and belongs to no single launch. */
export function openHostServices(parts: HostServicesParts): HostServices {
  const { options, store } = parts;
  const { clock } = options;
  const peers = peersOf(parts);
  const outgoing = new Outgoing(clock);
  return {
    state: { states: options.stateStore ?? new States(store), project: options.project },
    messages: { peers, outgoing, lanes: new Lanes(), clock },
    compose: { peers, outgoing },
    projects: projectOf(options.project),
    models: {
      ...{ peers, outgoing, clock, exchanges: store.modelExchanges, project: options.project ?? '' },
      route: (model) => routeOf(model, options.settings.models),
      answered: (plugin, about) => tellOfModel(parts.events, plugin, about),
    },
    events: parts.events,
  };
}

/** As if the plugin that asked emitted it, and within the same bounds. */
function tellOfModel(events: HostServices['events'], plugin: string, about: ModelResponse): void {
  const depth = events.depthOf(plugin);
  if (depth > hostLimits.eventDepth || !events.mayEmit(plugin)) return;
  // A disk that fails is told by whatever must be on it; nobody waits for this.
  events.emit(plugin, 'model_response', about, depth).catch(() => undefined);
}

function projectOf(path: string | undefined): HostServices['projects'] {
  if (path === undefined) return { project: undefined, specs: undefined };
  const readMatter = (text: string): unknown => {
    const read = readYaml(text);
    return 'faults' in read ? undefined : read.value;
  };
  return { project: { name: basename(path), path }, specs: new Specs(path, readMatter) };
}

function peersOf({ catalog, handles, open, store }: HostServicesParts): Peers {
  return {
    open: async (id) => peerOf(await open(id)),
    running: () => handles.values().filter(isLive).map(peerOf),
    offers: async (isWanted) => {
      const { plugins } = await catalog.discovery();
      return plugins.filter((spec) => isEnabled(spec, { store })).flatMap((spec) => offersOf(spec, isWanted));
    },
  };
}

function offersOf({ id, manifest }: PluginSpec, isWanted: (capability: CapabilityRef) => boolean) {
  return manifest.capabilities
    .filter(({ kind }) => !passiveKinds.has(kind))
    .map(({ kind, name }) => ({ plugin: id, capability: { kind, name } }))
    .filter(({ capability }) => isWanted(capability));
}

function peerOf(handle: PluginHandle): Peer {
  return {
    id: handle.id,
    find: (capability) => {
      const { kind, name } = findCapability(handle.spec, capability);
      return { kind, name };
    },
    execute: async (capability, input, { parent, onProgress, ...call }) => {
      // What a plugin does by itself is nobody's call.
      const nobody = parent === undefined ? { prompter: null } : {};
      const options = { ...call, ...nobody, ...(onProgress === undefined ? {} : { onProgress }) };
      return (await handle.execute(capability, input, options, parent)).output;
    },
    request: (method, params, options) => handle.request(method, params, options),
  };
}

function isLive({ state: { kind } }: PluginHandle): boolean {
  return kind === 'running' || kind === 'degraded';
}
