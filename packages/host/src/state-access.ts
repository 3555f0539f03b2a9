import { MmmError, wireLimits } from '@mmm/protocol';
import * as z from 'zod';
import type { HostState, StatePlace } from './api-state.ts';
import { check } from './arguments.ts';
import type { PluginSpec } from './discover/spec.ts';
import { publisherOf, recordId } from './identity.ts';
import { StateRefusal } from './state/refusal.ts';
import { spaceOf } from './state/spaces.ts';
import type { StateStore } from './state/state-store.ts';
import { type StateOperation, States } from './state/states.ts';
import type { StateSpace, StateWriter } from './store/state-values.ts';
import type { Store } from './store/store.ts';
import type { Trust } from './verify/verified.ts';

export interface StateAccessServices {
  readonly store: Store;
  /** The program's own, in place of the home's. */
  readonly stateStore: StateStore | undefined;
  readonly project: string | undefined;
  /** Throws HOST_CLOSED. */
  assertOpen(): void;
  /** Throws HOST_CLOSED, PLUGIN_NOT_FOUND. */
  find(id: string): Promise<PluginSpec>;
  /** Who signed a plugin that nobody started yet. Throws what verifying throws. */
  trustOf(spec: PluginSpec): Promise<Trust>;
}

/** What the user writes into shared scopes counts to nobody's plugin. */
const user: StateWriter = { plugin: '', publisher: '' };

const key = z.string().min(1).max(wireLimits.stateKeyChars);
const ifVersion = z.int().min(0).optional();
const methods = {
  place: z.union([z.enum(['project', 'global']), z.strictObject({ plugin: z.string() })], {
    error: "must be 'project', 'global' or an object with the name of a plugin",
  }),
  operations: z
    .array(
      z.discriminatedUnion('op', [
        z.strictObject({ op: z.literal('set'), key, value: z.unknown(), ifVersion }),
        z.strictObject({ op: z.literal('delete'), key, ifVersion }),
        z.strictObject({ op: z.literal('check'), key, ifVersion: z.int().min(0) }),
      ]),
    )
    .min(1)
    .max(wireLimits.stateOperations),
} as const;

/** The state of a home for whoever embeds the host: checks what is given, and says errors in the host's terms. */
export class StateAccess implements HostState {
  readonly #services: StateAccessServices;
  readonly #states: StateStore;

  constructor(services: StateAccessServices) {
    this.#services = services;
    this.#states = services.stateStore ?? new States(services.store);
  }

  get: HostState['get'] = async (place, name) => {
    this.#check('get', { place, key: name }, { place: methods.place, key });
    return await this.#within(place, (space) => this.#states.get(space, name));
  };

  list: HostState['list'] = async (place, prefix = '') => {
    this.#check('list', { place, prefix }, { place: methods.place, prefix: z.string() });
    return await this.#within(place, (space) => this.#states.list(space, prefix));
  };

  set: HostState['set'] = async (place, name, value, options = {}) => {
    const [version = 0] = await this.update(place, [{ op: 'set', key: name, value, ...options }]);
    return version;
  };

  delete: HostState['delete'] = async (place, name, options = {}) => {
    await this.update(place, [{ op: 'delete', key: name, ...options }]);
  };

  update: HostState['update'] = async (place, operations: readonly StateOperation[]) => {
    this.#check('update', { place, operations }, methods);
    return await this.#within(place, (space, writer) => this.#states.update(space, operations, writer));
  };

  #check(method: string, given: Readonly<Record<string, unknown>>, shape: Readonly<Record<string, z.ZodType>>): void {
    this.#services.assertOpen();
    const name = `host.state.${method}`;
    check(z.strictObject(shape), given, { root: '', file: name, what: `What was given to ${name}` });
  }

  async #within<T>(place: StatePlace, work: (space: StateSpace, writer: StateWriter) => Promise<T>): Promise<T> {
    try {
      if (typeof place === 'string') {
        return await work(spaceOf(place, user, this.#services.project), user);
      }
      const holder = await this.#holder(place.plugin);
      return await work(spaceOf('plugin', holder, undefined), holder);
    } catch (error) {
      throw error instanceof StateRefusal ? told(error) : error;
    }
  }

  /** As its data folder is filed: under the publisher that its name belongs to. */
  async #holder(id: string): Promise<StateWriter> {
    const { store, find, trustOf } = this.#services;
    const spec = await find(id);
    const plugin = recordId(spec);
    const publisher = spec.origin === 'registered' ? spec.origin : store.plugins.publisherOf(plugin);
    return { plugin, publisher: publisher ?? publisherOf(await trustOf(spec)) };
  }
}

function told({ kind, message, details }: StateRefusal): MmmError {
  switch (kind) {
    case 'conflict':
      return new MmmError('STATE_CONFLICT', message, {
        key: String(details['key']),
        version: Number(details['version']),
      });
    case 'quota':
      return new MmmError('STATE_QUOTA', message, { reason: message });
    case 'invalid':
      return new MmmError('CONFIG_INVALID', message, { file: 'host.state', issues: [{ path: '', message }] });
  }
}
