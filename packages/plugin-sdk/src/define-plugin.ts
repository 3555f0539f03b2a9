import type { CapabilityKind, CapabilityRef, Event, kindShapes, ShapedKind } from '@mmm/protocol';
import type { CallContext, PluginContext, RequestContext } from './context.ts';
import type { Schema } from './schema.ts';
import type { Trigger } from './triggers.ts';

type Input<K extends ShapedKind> = (typeof kindShapes)[K]['input']['_zod']['output'];
type Output<K extends ShapedKind> = (typeof kindShapes)[K]['output']['_zod']['input'];
type Awaitable<T> = T | Promise<T>;

export interface Completion {
  readonly value: string;
  readonly description?: string;
}

/** One thing the plugin can do. Its name is its key, and must be in the manifest. */
export interface Capability<I, O, C> {
  /** Types `input` and refuses what does not fit with InvalidParams. Without it `input` has the type you annotate. */
  readonly input?: Schema<I>;
  /** Answers one call. What it returns is the output: any JSON; undefined becomes null. */
  execute(input: I, context: CallContext<C>): Awaitable<O>;
  /** Proposes what could follow what was typed so far. Without it there are no proposals. */
  complete?(partial: string, context: RequestContext<C>): Awaitable<readonly (string | Completion)[]>;
}
type Shaped<K extends ShapedKind, C> = Readonly<Record<string, Capability<Input<K>, Output<K>, C>>>;

export interface Message {
  readonly id: string;
  readonly source: string;
  /** Null for a broadcast. */
  readonly target: string | null;
  readonly kind: 'command' | 'query' | 'event';
  readonly payload: unknown;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface EventAnswer {
  /** Calls the host makes next, in this order. */
  readonly actions?: readonly { readonly plugin: string; readonly capability: string; readonly input: unknown }[];
  /** Stops what the event announces. The first hook that vetoes ends the round. */
  readonly veto?: { readonly reason: string };
}
export type EventHandler<C> = (event: Event, context: RequestContext<C>) => Awaitable<EventAnswer | undefined>;

export interface ToolFailure {
  readonly capability: CapabilityRef;
  readonly input: unknown;
  readonly error: unknown;
  /** From 1 to 3. */
  readonly attempt: number;
}
export type Recovery =
  | { readonly action: 'propagate' }
  | { readonly action: 'retry'; readonly delay_ms?: number }
  | { readonly action: 'fallback'; readonly capability: CapabilityRef };

/** A plugin as its author writes it: plain data and handlers. T, A and C are inferred from what is written. */
export interface PluginDefinition<T, A, C> {
  /** Told to the host for its log; the manifest counts. */
  readonly name?: string;
  readonly version?: string;
  /** Types `context.config`, at the start and at each `configure`. The manifest's own schema was checked before. */
  readonly config?: Schema<C>;

  /** Runs before `initialize` is answered. No side effects outside the process: a spare may never be used. */
  start?(context: PluginContext<C>): Awaitable<void>;
  /** Runs once: at `shutdown`, or when the host has closed stdin without asking. */
  stop?(reason: string, context: PluginContext<C>): Awaitable<void>;
  /** A new configuration. Throw to keep the old one; return and it is in `context.config` from then on. */
  configure?(config: C, context: PluginContext<C>): Awaitable<void>;

  readonly tools?: { readonly [K in keyof T]: Capability<T[K], unknown, C> };
  readonly actions?: { readonly [K in keyof A]: Capability<A[K], unknown, C> };
  readonly commands?: Shaped<'command', C>;
  readonly integrations?: Shaped<'integration', C>;
  readonly reporters?: Shaped<'reporter', C>;
  readonly analyzers?: Shaped<'analyzer', C>;
  readonly models?: Shaped<'model', C>;
  readonly prompts?: Shaped<'prompt', C>;
  readonly contexts?: Shaped<'context', C>;
  /** Every hook sees every event the manifest's hooks ask for; look at `event.type`. */
  readonly hooks?: Readonly<Record<string, EventHandler<C>>>;
  /** Each made by `defineTrigger`. */
  readonly triggers?: Readonly<Record<string, Trigger>>;

  /** Events of subscriptions, after the hooks. */
  handleEvent?: EventHandler<C>;
  /** The answer to a message is what this returns. Throw `unsupported_message` for kinds you do not take. */
  handleMessage?(message: Message, context: RequestContext<C>): unknown;
  /** What to do about a tool of this plugin that failed. */
  onToolError?(failure: ToolFailure, context: RequestContext<C>): Awaitable<Recovery>;
}

/** One capability with its types erased, as serving needs it. */
export type AnyCapability = Capability<unknown, unknown, unknown>;

/** A defined plugin: hand it to `runPlugin`, to `serve`, or to `testPlugin`. */
export interface Plugin {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly definition: PluginDefinition<unknown, unknown, unknown>;
  /** What it can do, in the order it was written. */
  readonly capabilities: readonly CapabilityRef[];
  find(kind: CapabilityKind, name: string): AnyCapability | undefined;
}

const kindOfGroup = {
  commands: 'command',
  tools: 'tool',
  actions: 'action',
  integrations: 'integration',
  reporters: 'reporter',
  analyzers: 'analyzer',
  models: 'model',
  prompts: 'prompt',
  contexts: 'context',
  hooks: 'hook',
  triggers: 'trigger',
} as const satisfies Record<string, CapabilityKind>;
type Group = keyof typeof kindOfGroup;

/**
 * Declares a plugin. Nothing runs until it is served. Throws a TypeError when a capability has no `execute`, so that
 * a plugin in plain JavaScript fails at its first start and not at its first call.
 */
export function definePlugin<T = unknown, A = unknown, C = Record<string, unknown>>(
  definition: PluginDefinition<T, A, C>,
): Plugin {
  const capabilities: CapabilityRef[] = [];
  const executable = new Map<string, AnyCapability>();
  for (const group of Object.keys(kindOfGroup) as Group[]) {
    const kind = kindOfGroup[group];
    for (const [name, entry] of Object.entries((definition[group] ?? {}) as Record<string, unknown>)) {
      capabilities.push({ kind, name });
      if (kind === 'hook' || kind === 'trigger') continue;
      if (typeof (entry as Partial<AnyCapability> | null)?.execute !== 'function') {
        throw new TypeError(
          `${group}.${name} needs a function: ${group}: { ${name}: { execute(input, context) {…} } }`,
        );
      }
      executable.set(`${kind} ${name}`, entry as AnyCapability);
    }
  }
  return {
    name: definition.name,
    version: definition.version,
    // Inside the SDK values are unknown until a schema or an author's annotation types them.
    definition: definition as unknown as PluginDefinition<unknown, unknown, unknown>,
    capabilities,
    find: (kind, name) => executable.get(`${kind} ${name}`),
  };
}
