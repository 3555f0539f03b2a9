// Types of the mmm plugin SDK in this folder: what a plugin's author uses, in one file that needs nothing else.

/** How a value may be typed: a schema of zod, valibot, arktype or the like, or a function that returns it or throws. */
export type Schema<T> =
  | ((value: unknown) => T)
  | {
      readonly '~standard': {
        readonly version: 1;
        readonly vendor: string;
        readonly validate: (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>;
        readonly types?: { readonly input: unknown; readonly output: T } | undefined;
      };
    };
export type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

export type LogFunction = (message: string, fields?: Record<string, unknown>) => void;

/** Values the host keeps for the plugin: they survive restarts, and versions guard them against lost updates. */
export interface State {
  get<T = unknown>(key: string): Promise<T | undefined>;
  /** With its version; 0 means absent. */
  read<T = unknown>(key: string): Promise<{ readonly value: T | undefined; readonly version: number }>;
  /** Returns the new version. With `ifVersion` rejects with VersionConflict unless that is the current one. */
  set(key: string, value: unknown, options?: { readonly ifVersion?: number }): Promise<number>;
  delete(key: string, options?: { readonly ifVersion?: number }): Promise<number>;
  list(prefix?: string): Promise<readonly { readonly key: string; readonly version: number }[]>;
}

export interface FetchOptions {
  /** Default GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>> | Iterable<readonly [string, string]>;
  /** Text is sent as UTF-8, URLSearchParams as a form. */
  readonly body?: string | Uint8Array | URLSearchParams;
  /** Sent as the body, as JSON. */
  readonly json?: unknown;
  /** Ends the request early. Inside a call the call's own signal is used when this is left out. */
  readonly signal?: AbortSignal;
  /** How long the answer may take, redirects included. */
  readonly timeoutMs?: number;
  /** Default `follow`. */
  readonly redirect?: 'follow' | 'manual' | 'error';
  /** Default 20. */
  readonly maxRedirects?: number;
}

/** A whole answer, whatever its status. */
export interface FetchResponse {
  readonly status: number;
  /** The status is from 200 to 299. */
  readonly ok: boolean;
  readonly headers: {
    get(name: string): string | null;
    has(name: string): boolean;
    names(): string[];
    /** Each Set-Cookie header. */
    readonly setCookies: readonly string[];
  };
  /** Where the answer came from, after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
  json(): Promise<unknown>;
}

/** What holds for a whole session of the plugin. */
export interface PluginContext<C = Record<string, unknown>> {
  readonly plugin: {
    readonly id: string;
    readonly version: string;
    /** The plugin's files, read-only. */
    readonly directory: string;
    /** The plugin's own folder, the only one it may write to without a grant. */
    readonly dataDirectory: string;
  };
  readonly config: C;
  readonly locale: string;
  /** Lines of the plugin's log. Never fails and never waits. */
  readonly log: {
    readonly trace: LogFunction;
    readonly debug: LogFunction;
    readonly info: LogFunction;
    readonly warn: LogFunction;
    readonly error: LogFunction;
  };
  /** HTTP under the plugin's network grant, redirects included; no socket of its own is needed. */
  readonly fetch: (url: string | URL, options?: FetchOptions) => Promise<FetchResponse>;
  readonly state: State;
  /** Journals and delivers an event. Returns its id. */
  emit(type: string, data?: unknown): Promise<string>;
}

/** What holds for one call. */
export interface CallContext<C = Record<string, unknown>> extends PluginContext<C> {
  /** Aborted when the caller gave up or the session ends: stop working, whatever you return is dropped. */
  readonly signal: AbortSignal;
  /** Shows how far the call is, from 0 to 1, and restarts the caller's idle timer. */
  report(message?: string, fraction?: number): void;
  /** Sends one piece of a streamed answer. Await it. */
  chunk(data: unknown): Promise<void>;
  readonly call: {
    /** Who made the call. */
    readonly caller: { readonly kind: string; readonly id: string };
    /** The event that led to the call, where one did. */
    readonly trigger?: { readonly plugin: string; readonly instance: string; readonly event_id: string } | undefined;
    /** How hard a key or pad was struck, from 0 to 127. */
    readonly velocity?: number | undefined;
    readonly current_mode?: { readonly index: number; readonly name: string } | undefined;
    /** RFC 3339, UTC. */
    readonly timestamp: string;
    /** Time left when the call was sent. */
    readonly deadline_ms: number;
  };
}

/** One thing the plugin can do. Its key is its name, and must be in plugin.toml. */
export interface Capability<I, O, C> {
  /** Types `input` and refuses what does not fit. Without it `input` has the type you annotate. */
  readonly input?: Schema<I>;
  /** Answers one call. What it returns is the output: any JSON; undefined becomes null. */
  execute(input: I, context: CallContext<C>): O | Promise<O>;
  /** Proposes what could follow what was typed so far. */
  complete?(
    partial: string,
    context: PluginContext<C>,
  ):
    | readonly (string | { readonly value: string; readonly description?: string })[]
    | Promise<readonly (string | { readonly value: string; readonly description?: string })[]>;
}

export interface CommandInput {
  args: string[];
  options: Record<string, unknown>;
  cwd?: string | undefined;
}
export interface CommandOutput {
  /** From 0 to 255. */
  exit_code: number;
  stdout?: string | undefined;
  data?: unknown;
  [more: string]: unknown;
}

export interface PluginDefinition<T, A, C> {
  readonly name?: string;
  readonly version?: string;
  /** Types `context.config`. The manifest's own schema was checked before. */
  readonly config?: Schema<C>;
  /** Runs before the first call. No side effects outside the process. */
  start?(context: PluginContext<C>): void | Promise<void>;
  /** Runs once, at the end. */
  stop?(reason: string, context: PluginContext<C>): void | Promise<void>;
  /** A new configuration. Throw to keep the old one. */
  configure?(config: C, context: PluginContext<C>): void | Promise<void>;
  readonly tools?: { readonly [K in keyof T]: Capability<T[K], unknown, C> };
  readonly actions?: { readonly [K in keyof A]: Capability<A[K], unknown, C> };
  readonly commands?: Readonly<Record<string, Capability<CommandInput, CommandOutput, C>>>;
}

/** A defined plugin, to be handed to `runPlugin`. */
export interface Plugin {
  readonly name: string | undefined;
  readonly version: string | undefined;
}

/** Declares a plugin. Nothing runs until it is served. */
export declare function definePlugin<T = unknown, A = unknown, C = Record<string, unknown>>(
  definition: PluginDefinition<T, A, C>,
): Plugin;

/** Serves the plugin on stdin and stdout. Whatever the code prints goes to its log. */
export declare function runPlugin(plugin: Plugin): void;

/** Thrown by a handler to choose what its caller sees. The message is shown to people: say what to do next. */
export declare class PluginError extends Error {
  constructor(
    message: string,
    options?: {
      /** Default `internal_error`. */
      readonly kind?: 'invalid_params' | 'invalid_config' | 'permission_denied' | 'timeout' | 'busy' | 'internal_error';
      /** Whether the caller may try again. */
      readonly retryable?: boolean;
      /** JSON for programs: what to branch on. */
      readonly details?: unknown;
      readonly cause?: unknown;
    },
  );
}
