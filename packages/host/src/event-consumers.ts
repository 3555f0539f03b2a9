import { type ErrorCode, heardEvents, MmmError, pluginMethods } from '@mmm/protocol';
import type { PluginSpec } from './discover/spec.ts';
import { safeText } from './display/safe-text.ts';
import type { EventActions } from './event-actions.ts';
import type { EventCauses } from './events/causes.ts';
import { ConsumerAway, type EventConsumer } from './events/consumer.ts';
import type { EventDispatcher } from './events/dispatcher.ts';
import { hostSource } from './events/event-types.ts';
import { matchesGlob, type TypeMatcher, typeMatcher } from './events/glob.ts';
import type { EventAnswer } from './events/hook-round.ts';
import type { JournalEvent } from './events/journal.ts';
import { SessionSubscriptions } from './events/session-subscriptions.ts';
import type { EventClient } from './host-api/event-requests.ts';
import { recordId } from './identity.ts';
import { hostLimits } from './limits.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import type { PluginHandle } from './plugin.ts';

export interface EventConsumersParts {
  readonly dispatcher: EventDispatcher;
  readonly causes: EventCauses;
  readonly actions: EventActions;
  readonly metrics: Pick<MetricsRecorder, 'count'>;
  open(id: string): Promise<PluginHandle>;
  /** The life of a plugin that is its active one, by the `plugin` of its session. */
  life(id: string): object | undefined;
  /** Those of the plugins that are known which are enabled. */
  enabled(isWanted: (spec: PluginSpec) => boolean): Promise<readonly PluginSpec[]>;
  note(spec: PluginSpec, level: 'info' | 'warn' | 'error', message: string): void;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Only this life of it, which must run. Default: it is started. */
  readonly life?: object;
  /** For its start, when that is not to be taken from `timeoutMs`. */
  readonly startMs?: number;
}

/** Of a reason that a plugin gave: it is for one line. */
const reasonChars = 1_000;

/** What is the event's fault, or may be. Anything else only says that nobody was there to handle it. */
const faults: ReadonlySet<ErrorCode> = new Set([
  'CALL_REJECTED',
  'CALL_TIMEOUT',
  'CALL_CANCELLED',
  'PLUGIN_EXITED',
  'RESULT_INVALID',
  'MESSAGE_TOO_LARGE',
  'INPUT_INVALID',
  'INTERNAL',
]);

/** A plugin that its manifest makes a consumer. */
interface Standing {
  /** What it was made for: another manifest makes another one. */
  readonly key: string;
  readonly subscribed: TypeMatcher;
  end(): Promise<void>;
}

/** The consumers that plugins are: by their manifests for ever, and by `subscribe_to_event` for one life. */
export class EventConsumers {
  readonly #parts: EventConsumersParts;
  /** By the id of the plugin. */
  readonly #standing = new Map<string, Standing>();
  /** By the life of a plugin. */
  readonly #sessions = new Map<object, SessionSubscriptions>();
  /** The last events that hooks of a plugin were asked about: it has seen them. */
  readonly #asked = new Map<string, Set<number>>();
  readonly #rounds = new Set<Promise<unknown>>();
  #refreshing: Promise<void> | undefined;

  constructor(parts: EventConsumersParts) {
    this.#parts = parts;
  }

  /** Serves the plugins that are known and enabled now, and no others. Never rejects. */
  async refresh(): Promise<void> {
    this.#refreshing = (this.#refreshing ?? Promise.resolve()).then(() => this.#refresh()).catch(() => undefined);
    await this.#refreshing;
  }

  /** Resolves when no `refresh` is under way. */
  async settled(): Promise<void> {
    await this.#refreshing;
  }

  /** After the first `refresh`, which this does if nobody has. */
  async refreshed(): Promise<void> {
    await (this.#refreshing ?? this.refresh());
  }

  /** Asks a plugin about an event, as a consumer of it or as a hook. Rejects with an MmmError, or `ConsumerAway`. */
  async ask(id: string, event: JournalEvent, { timeoutMs, signal, life, startMs }: AskOptions): Promise<EventAnswer> {
    const handle = await this.#parts.open(id);
    if (life !== undefined && handle.session?.plugin !== life) throw new ConsumerAway(`this life of ${id} is over`);
    if (startMs !== undefined) {
      await handle.start({ deadlineMs: startMs, ...(signal === undefined ? {} : { signal }) });
    }
    const { id: eventId, type, data, timestamp, source } = event;
    const params = { event: { id: eventId, type, data, timestamp, source } };
    const aborted = signal === undefined ? {} : { signal };
    const options = { timeoutMs, ...aborted, ...(life === undefined ? {} : { start: false }) };
    const { actions = [], veto } = await this.#parts.causes.during(id, event.depth, () =>
      handle.request(pluginMethods.handle_event, params, options),
    );
    if (actions.length > hostLimits.eventActions) throw tooManyActions(id, actions.length);
    return { actions, veto: veto === undefined ? undefined : safeText(veto.reason, reasonChars) };
  }

  /** Emits an event that hooks are asked about: until that is over it is nobody's to handle who may be one of them. */
  async round<T>(work: () => Promise<T>): Promise<T> {
    const round = work();
    const over = round.catch(() => undefined).finally(() => this.#rounds.delete(over));
    this.#rounds.add(over);
    return await round;
  }

  /** What a plugin handled as a hook it is not told again as a subscriber. */
  askedHook(id: string, seq: number): void {
    const seen = (this.#asked.get(id) ?? new Set()).add(seq);
    this.#asked.set(id, seen);
    const [oldest] = seen;
    if (oldest !== undefined && seen.size > hostLimits.eventScan) seen.delete(oldest);
  }

  /** False for one subscription too many. */
  subscribe(client: EventClient, glob: string): boolean {
    let session = this.#sessions.get(client.life);
    if (session === undefined) {
      session = new SessionSubscriptions(client.requester.plugin);
      this.#sessions.set(client.life, session);
    }
    if (!session.add(glob)) return false;
    session.begin(() => this.#parts.dispatcher.add(this.#sessionConsumer(client, session)));
    this.#parts.dispatcher.wake();
    return true;
  }

  unsubscribe(client: EventClient, glob: string): void {
    this.#sessions.get(client.life)?.remove(glob);
  }

  /** What lives of a plugin that are over had subscribed to ends with them. */
  forgetEnded(plugin: string): void {
    const life = this.#parts.life(plugin);
    for (const [ended, session] of this.#sessions) {
      if (session.plugin !== plugin || ended === life) continue;
      this.#sessions.delete(ended);
      session.end();
    }
  }

  async #refresh(): Promise<void> {
    const wanted = new Map((await this.#parts.enabled(isConsumer)).map((spec) => [spec.id, spec]));
    for (const [id, { key, end }] of this.#standing) {
      const spec = wanted.get(id);
      if (spec !== undefined && keyOf(spec) === key) continue;
      this.#standing.delete(id);
      await end();
    }
    for (const [id, spec] of wanted) {
      if (!this.#standing.has(id)) this.#standing.set(id, this.#stand(spec));
    }
  }

  #stand(spec: PluginSpec): Standing {
    const subscribed = typeMatcher(spec.manifest.subscriptions?.events ?? []);
    const hooked = typeMatcher(hookGlobs(spec));
    const end = this.#parts.dispatcher.add({
      name: recordId(spec),
      isDurable: true,
      // What hooks were asked about when it was emitted is over for them; of everything else they are told here.
      wants: ({ type, asked }) => subscribed(type) || (!asked && hooked(type)),
      handle: async (event, signal) => {
        if (event.asked && hooked(event.type)) await Promise.all(this.#rounds);
        if (this.#asked.get(spec.id)?.has(event.seq) === true || isOwnEnd(event, spec.id)) return;
        await this.#handle(spec.id, event, { timeoutMs: hostLimits.eventTimeoutMs, signal });
      },
      onDead: (event, error) => this.#dead(spec, event, error),
    });
    return { key: keyOf(spec), subscribed, end };
  }

  #sessionConsumer({ life, requester: { plugin }, note }: EventClient, session: SessionSubscriptions): EventConsumer {
    return {
      name: `${plugin}#session`,
      isDurable: false,
      wants: ({ type }) => session.wants(type) && this.#standing.get(plugin)?.subscribed(type) !== true,
      handle: async (event, signal) => {
        try {
          await this.#handle(plugin, event, { timeoutMs: hostLimits.eventTimeoutMs, signal, life });
        } catch (error) {
          // Nobody else will ever be there for what one life had asked for.
          if (!(error instanceof ConsumerAway)) throw error;
          this.#sessions.delete(life);
          session.end();
        }
      },
      onDead: (event, error) => note(putBy(event, error)),
    };
  }

  /** Throws `ConsumerAway` for what is not the event's fault. */
  async #handle(id: string, event: JournalEvent, options: AskOptions): Promise<void> {
    const answer = await this.ask(id, event, options).catch((error: unknown) => {
      if (error instanceof MmmError && isFault(error)) throw error;
      throw error instanceof ConsumerAway ? error : new ConsumerAway(String(error), { cause: error });
    });
    this.#parts.metrics.count(id, 'eventsHandled');
    if (answer.actions.length === 0) return;
    const { spec } = await this.#parts.open(id);
    const cause = { depth: event.depth, signal: options.signal };
    if (answer.veto !== undefined) this.#parts.note(spec, 'warn', `Its veto of ${event.id} came too late to count.`);
    for (const { plugin, capability, ok, error } of await this.#parts.actions.run(id, answer.actions, cause)) {
      const asked = `${plugin} ${capability}, which it asked for because of the event ${event.type}`;
      if (!ok) this.#parts.note(spec, 'warn', safeText(`${asked}, was not called: ${error}`, reasonChars));
    }
  }

  #dead(spec: PluginSpec, event: JournalEvent, error: string): void {
    this.#parts.metrics.count(spec.id, 'eventsPutBy');
    this.#parts.note(spec, 'error', putBy(event, error));
  }
}

/** Why the event may be what is wrong. A plugin that the host itself stopped had nothing against it. */
function isFault(error: MmmError): boolean {
  if (MmmError.is(error, 'PLUGIN_EXITED')) return error.data.reason.kind !== 'requested';
  return faults.has(error.code);
}

/** What crashes at the news of its own crash would crash for ever. */
function isOwnEnd({ type, source, data }: JournalEvent, plugin: string): boolean {
  if (source !== hostSource || !['plugin.crashed', 'plugin.quarantined'].includes(type)) return false;
  return (data as { readonly plugin?: unknown }).plugin === plugin;
}

function hookGlobs({ manifest }: PluginSpec): readonly string[] {
  return heardEvents(manifest).asked.flatMap(({ events }) => events);
}

function isConsumer(spec: PluginSpec): boolean {
  return (spec.manifest.subscriptions?.events ?? []).length + hookGlobs(spec).length > 0;
}

function keyOf(spec: PluginSpec): string {
  return JSON.stringify([recordId(spec), spec.manifest.subscriptions?.events ?? [], hookGlobs(spec)]);
}

/** Whether a plugin has a hook for events of this type. */
export function hasHookFor(spec: PluginSpec, type: string): boolean {
  return hookGlobs(spec).some((glob) => matchesGlob(glob, type));
}

function putBy({ id, type }: JournalEvent, error: string): string {
  const what = `The event ${id} (${type}) was put by after ${hostLimits.eventTries} tries`;
  return `${what}: ${safeText(error, reasonChars)}. See: mmm events dead list`;
}

function tooManyActions(plugin: string, actions: number): MmmError<'RESULT_INVALID'> {
  const method = pluginMethods.handle_event.name;
  const message = `${plugin} answered an event with ${actions} actions; ${hostLimits.eventActions} are allowed.`;
  const issues = [{ path: 'actions', message: `has ${actions} items` }];
  return new MmmError('RESULT_INVALID', message, { plugin, method, issues });
}
