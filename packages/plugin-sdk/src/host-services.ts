import type { HostMethods, ParamsInput, Result } from '@mmm/protocol';
import type { CallHost, HostCallOptions } from './context.ts';

type Params<K extends keyof HostMethods & Parameters<CallHost>[0]> = ParamsInput<HostMethods[K]>;

export interface MessageOptions {
  /** Default `query`. */
  readonly kind?: 'command' | 'query' | 'event';
  readonly metadata?: Record<string, unknown>;
  /** How long to wait for the answer. Default: the host's 30 s. */
  readonly timeoutMs?: number;
}

export interface BroadcastEntry {
  /** The plugin that answers. */
  readonly source: string;
  readonly payload?: unknown;
  /** In the shape of a JSON-RPC error, instead of a payload. */
  readonly error?: unknown;
}

/** Other plugins, under the `compose` and `messages` grants. */
export interface Plugins {
  /** Runs a capability of another plugin and resolves with its output; without a name, of the only one that has it. */
  execute<T = unknown>(target: { plugin?: string; capability: string }, input: unknown): Promise<T>;
  /** Sends a message to one plugin, which is started if need be, and resolves with its answer. */
  send<T = unknown>(target: string, payload: unknown, options?: MessageOptions): Promise<T>;
  /** Sends a message to every plugin that runs and that it may reach. One entry for each, whatever became of it. */
  broadcast(payload: unknown, options?: MessageOptions): Promise<readonly BroadcastEntry[]>;
}

/** The person at the client whose call this is. Each rejects with NotInteractive when nobody is there. */
export interface User {
  text(message: string): Promise<string>;
  confirm(message: string): Promise<boolean>;
  /** Resolves with the option that was chosen. */
  select<const O extends readonly string[]>(message: string, options: O): Promise<O[number]>;
  /** As `text`, but not shown while it is typed. */
  secret(message: string): Promise<string>;
  /** Shows how far it is, whether or not the caller asked for progress. */
  progress(message: string, fraction?: number): Promise<void>;
  /**
   * Asks for an optional permission of the manifest, spelt as on the command line: `network=h:443`. False when nobody
   * could be asked. `once`: for no longer than the host lives.
   */
  permit(permission: string): Promise<{ readonly granted: boolean; readonly once: boolean }>;
}

export interface ModelOptions extends Pick<HostCallOptions, 'signal' | 'timeoutMs'> {
  /** For the model; `model` also decides which plugin answers. */
  readonly options?: Record<string, unknown>;
  /** The specification it is about, for the history. */
  readonly spec?: string;
  /** Gets the answer in parts. Return a promise to slow the model down to your pace. */
  readonly onChunk?: (data: unknown) => void | Promise<void>;
}

/** The language model that the user set up, under the `model` grant. */
export interface Model {
  ask(
    messages: Params<'model_request'>['messages'],
    options?: ModelOptions,
  ): Promise<Result<HostMethods['model_request']>>;
  /** This plugin's own exchanges in this project, oldest first; of one specification when given. */
  history(spec?: string): Promise<readonly unknown[]>;
}

/** A Markdown file below `specs` of the project. */
export interface Spec {
  readonly name: string;
  readonly status: string | null;
  readonly title: string | null;
  /** Its front matter. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** Why `metadata` is empty although there is front matter. */
  readonly problem?: string;
}

/** The project that the host works in, under the `project` grant. */
export interface Project {
  /** Null when there is none. */
  current(): Promise<{ readonly name: string; readonly path: string } | null>;
  spec(name: string): Promise<Spec>;
  /** Changes the status in the front matter and nothing else. */
  setStatus(name: string, status: string): Promise<void>;
}

export function pluginsOver(host: CallHost): Plugins {
  const parts = ({ kind = 'query', metadata = {}, timeoutMs }: MessageOptions = {}) => ({
    kind,
    metadata,
    ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }),
  });
  return {
    execute: async <T>({ plugin, capability }: { plugin?: string; capability: string }, input: unknown) => {
      const target = plugin === undefined ? { capability } : { plugin, capability };
      return (await host('execute_capability', { ...target, input })).output as T;
    },
    send: async <T>(target: string, payload: unknown, options?: MessageOptions) =>
      (await host('send_message', { target, payload, ...parts(options) })).payload as T,
    broadcast: (payload, options) => host('broadcast_message', { payload, ...parts(options) }),
  };
}

export function userOver(host: CallHost): User {
  const ask = async (params: Params<'prompt_user'>): Promise<unknown> => (await host('prompt_user', params)).answer;
  return {
    text: async (message) => (await ask({ kind: 'text', message })) as string,
    confirm: async (message) => (await ask({ kind: 'confirm', message })) as boolean,
    select: async (message, options) => (await ask({ kind: 'select', message, options: [...options] })) as never,
    secret: async (message) => (await ask({ kind: 'secret', message })) as string,
    progress: async (message, fraction) => {
      await host('display_progress', fraction === undefined ? { message } : { message, fraction });
    },
    permit: (permission) => host('request_permission', { permission }),
  };
}

export function modelOver(host: CallHost): Model {
  return {
    ask: (messages, { options = {}, spec, onChunk, ...call } = {}) => {
      const params = { messages, options, ...(spec === undefined ? {} : { spec }) };
      if (onChunk === undefined) return host('model_request', params, call);
      return host('model_request', params, {
        ...call,
        onProgress: (value) => (value.kind === 'chunk' ? onChunk(value.data) : undefined),
      });
    },
    history: async (spec) => (await host('get_model_history', spec === undefined ? {} : { spec })).exchanges,
  };
}

export function projectOver(host: CallHost): Project {
  return {
    current: async () => (await host('get_current_project', {})).project as Awaited<ReturnType<Project['current']>>,
    spec: async (name) => (await host('get_spec', { name })).spec as Spec,
    setStatus: async (name, status) => {
      await host('update_spec_status', { name, status });
    },
  };
}
