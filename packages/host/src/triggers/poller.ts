import { type Method, MmmError, type ParamsInput, pluginMethods, type Result } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import { isSameInstance, type TriggerInstance } from './instance.ts';
import { PollPace } from './pace.ts';

/** A plugin with triggers, as the poller needs it. */
export interface PolledPlugin {
  readonly id: string;
  /** Starts it unless it runs, waiting out a backoff. Rejects with why it does not. */
  start(wait: { readonly signal: AbortSignal }): Promise<void>;
  /** What tells one life of its process from the next; undefined while it does not run. */
  session(): object | undefined;
  /** Aborts when the session is to end: a poll that is open would only hold that up. */
  ending(session: object): AbortSignal;
  request<M extends Method>(
    method: M,
    params: ParamsInput<M>,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Result<M>>;
  /** Ends a session that does not keep to the protocol, as a crash. */
  fail(session: object, detail: string): void;
  note(level: 'info' | 'warn', message: string): void;
}

/** An event as a trigger told it. */
export interface PolledEvent {
  readonly id: string;
  readonly instance: string;
  readonly type: string;
  readonly data: unknown;
}

export interface PollerServices {
  readonly clock: Clock;
  /**
   * Journals events of instances that are armed: when it resolves they are on the disk, or were there already. Resolves
   * with how many were new. Rejects when nothing could be journalled; they are then asked for again.
   */
  record(plugin: string, events: readonly PolledEvent[]): Promise<number>;
  onChange(): void;
}

/** What one instance is doing. */
export type InstanceState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'armed'; readonly since: number }
  | { readonly kind: 'failed'; readonly reason: string };

/** One life of the plugin, as far as it is armed. */
interface Serving {
  readonly armed: Set<TriggerInstance>;
  readonly signal: AbortSignal;
}

type Polled = Result<(typeof pluginMethods)['poll_events']>;

/**
 * Keeps the instances of one plugin armed: starts the plugin, arms them after each handshake, and asks for events with
 * one long poll at a time. A poll acknowledges what the one before it brought only once that is journalled.
 */
export class TriggerPoller {
  readonly #plugin: PolledPlugin;
  readonly #services: PollerServices;
  readonly #instances = new Map<string, TriggerInstance>();
  readonly #states = new Map<string, InstanceState>();
  /** In which session an instance was refused, by what is armed there. */
  readonly #refusedBy = new WeakMap<TriggerInstance, Set<TriggerInstance>>();
  readonly #closing = new AbortController();
  /** Ends a pause: there is something new to try. */
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #serving: Serving | undefined;
  #arming: Promise<void> = Promise.resolve();

  constructor(plugin: PolledPlugin, services: PollerServices) {
    this.#plugin = plugin;
    this.#services = services;
  }

  /** What is armed, or is to be. */
  get instances(): readonly TriggerInstance[] {
    return [...this.#instances.values()];
  }

  stateOf(instance: string): InstanceState {
    return this.#states.get(instance) ?? { kind: 'waiting' };
  }

  /** From here on these instances and no others. What was armed and still is stays so. */
  set(wanted: readonly TriggerInstance[]): void {
    const names = new Map(wanted.map((instance) => [instance.instance, instance]));
    for (const [name, before] of this.#instances) {
      const next = names.get(name);
      if (next !== undefined && isSameInstance(before, next)) continue;
      this.#instances.delete(name);
      this.#serving?.armed.delete(before);
      const wasArmed = this.stateOf(name).kind === 'armed';
      this.#states.delete(name);
      if (wasArmed && next === undefined) void this.#disarm(name);
    }
    for (const [name, instance] of names) {
      if (this.#instances.has(name)) continue;
      this.#instances.set(name, instance);
      this.#states.set(name, { kind: 'waiting' });
    }
    this.retry();
    if (this.#instances.size > 0 && !this.#closing.signal.aborted) this.#running ??= this.#run();
    // Beside the poll that is open, which may take its time.
    if (this.#serving !== undefined) void this.#arm(this.#serving).catch(() => undefined);
  }

  /** Something changed that may let a plugin start, or an instance be armed, that did not. */
  retry(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  /** Ends the poll that is open. What was not acknowledged stays the plugin's. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.retry();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { id } = this.#plugin;
    let failures = 0;
    try {
      while (!this.#isClosing && this.#instances.size > 0) {
        try {
          await this.#plugin.start({ signal: this.#closing.signal });
          const session = this.#plugin.session();
          if (session === undefined) continue;
          failures = 0;
          await this.#serve(session);
        } catch (error) {
          if (this.#isClosing) return;
          failures += 1;
          const waitMs = retryAfterMs(error, failures, this.#services.clock.now());
          const reason = error instanceof Error ? firstLine(error.message) : String(error);
          for (const name of this.#instances.keys()) this.#enter(name, { kind: 'failed', reason });
          if (failures === 1) this.#plugin.note('warn', `the triggers of ${id} wait: ${reason}`);
          await this.#pause(waitMs);
        }
      }
    } finally {
      this.#running = undefined;
    }
  }

  /** Until the session ends, is about to end, or there is nothing left to be armed. */
  async #serve(session: object): Promise<void> {
    const ending = this.#plugin.ending(session);
    const signal = AbortSignal.any([this.#closing.signal, ending]);
    const serving = { armed: new Set<TriggerInstance>(), signal };
    this.#serving = serving;
    try {
      await this.#pollUntilEnd(session, serving, ending);
    } finally {
      this.#serving = undefined;
    }
  }

  async #pollUntilEnd(session: object, serving: Serving, ending: AbortSignal): Promise<void> {
    const { armed, signal } = serving;
    const pace = new PollPace();
    let ack: string | null = null;
    let faults = 0;
    while (!signal.aborted && this.#plugin.session() === session && this.#instances.size > 0) {
      await this.#arm(serving);
      if (!this.instances.some((instance) => armed.has(instance))) {
        await this.#pause(hostLimits.triggerRetryMaxMs, ending);
        continue;
      }
      const startedAtMs = this.#services.clock.monotonic();
      try {
        const { events, cursor } = await this.#poll(ack, signal);
        faults = 0;
        const added = await this.#record(events);
        // Not before: what is acknowledged the plugin forgets.
        ack = cursor;
        const tookMs = this.#services.clock.monotonic() - startedAtMs;
        await this.#pause(pace.pauseMs({ asked: events.length, added, tookMs }), ending);
      } catch (error) {
        if (signal.aborted || this.#plugin.session() !== session) return;
        faults += 1;
        ack = null;
        const reason = error instanceof Error ? firstLine(error.message) : String(error);
        this.#plugin.note('warn', `its events could not be taken: ${reason}`);
        if (isFaultOf(error) && faults >= hostLimits.pollFaultsMax) {
          // It becomes a part of other sentences.
          const cause = reason.replace(/\.$/, '');
          this.#plugin.fail(session, `it answered ${faults} polls with something else than events: ${cause}`);
          return;
        }
        await this.#pause(
          Math.min(hostLimits.pollPauseMinMs * 2 ** (faults - 1), hostLimits.triggerRetryMaxMs),
          ending,
        );
      }
    }
  }

  /** Each instance that is not armed in this session, unless the plugin refused it. */
  async #arm(serving: Serving): Promise<void> {
    const arming = this.#arming.catch(() => undefined).then(() => this.#armAll(serving));
    this.#arming = arming;
    await arming;
  }

  async #armAll({ armed, signal }: Serving): Promise<void> {
    for (const instance of [...this.#instances.values()]) {
      const { instance: name, trigger, config } = instance;
      if (armed.has(instance) || signal.aborted || this.#instances.get(name) !== instance) continue;
      const refused = this.stateOf(name);
      // Its answer would be the same: it is asked again in its next life, or when something changed.
      if (refused.kind === 'failed' && this.#refusedBy.get(instance) === armed) continue;
      try {
        const timeoutMs = hostLimits.armTimeoutMs;
        const params = { trigger, instance: name, config: { ...config } };
        await this.#plugin.request(pluginMethods.start_trigger, params, { timeoutMs, signal });
        armed.add(instance);
        this.#enter(name, { kind: 'armed', since: this.#services.clock.now() });
      } catch (error) {
        if (!MmmError.is(error, 'CALL_REJECTED') && !MmmError.is(error, 'RESULT_INVALID')) throw error;
        const reason = firstLine(error.message);
        this.#refusedBy.set(instance, armed);
        this.#enter(name, { kind: 'failed', reason });
        this.#plugin.note('warn', `trigger ${trigger} was not armed as ${name}: ${reason}`);
      }
    }
  }

  async #disarm(instance: string): Promise<void> {
    if (this.#plugin.session() === undefined) return;
    const timeoutMs = hostLimits.armTimeoutMs;
    // A plugin that does not answer is disarmed by its next start, which arms what is wanted then.
    await this.#plugin
      .request(pluginMethods.stop_trigger, { instance }, { timeoutMs, signal: this.#closing.signal })
      .catch(() => undefined);
  }

  async #poll(ack: string | null, signal: AbortSignal): Promise<Polled> {
    const { pollWaitMs, pollAnswerMs, pollEvents } = hostLimits;
    const params = { ack, max: pollEvents, wait_ms: pollWaitMs };
    const timeoutMs = pollWaitMs + pollAnswerMs;
    return await this.#plugin.request(pluginMethods.poll_events, params, { timeoutMs, signal });
  }

  /** Events of what is armed; a plugin with one instance need not say which. Resolves with how many were new. */
  async #record(polled: Polled['events']): Promise<number> {
    if (polled.length === 0) return 0;
    const [only] = this.#instances.size === 1 ? this.#instances.keys() : [];
    const known = polled.flatMap(({ id, instance = only, type, data }): PolledEvent[] => {
      return instance === undefined || !this.#instances.has(instance) ? [] : [{ id, instance, type, data }];
    });
    if (known.length < polled.length) {
      const lost = polled.length - known.length;
      this.#plugin.note('warn', `${lost} of its events belong to no trigger that is armed, and were dropped`);
    }
    return known.length === 0 ? 0 : await this.#services.record(this.#plugin.id, known);
  }

  #enter(instance: string, state: InstanceState): void {
    if (!this.#instances.has(instance)) return;
    this.#states.set(instance, state);
    this.#services.onChange();
  }

  /** Ended early by what is new, by the end of the session and by the end of all of it. */
  async #pause(ms: number, ending?: AbortSignal): Promise<void> {
    if (ms <= 0) return;
    const signals = [this.#closing.signal, this.#wake.signal, ...(ending === undefined ? [] : [ending])];
    await this.#services.clock.sleep(ms, AbortSignal.any(signals)).catch(() => undefined);
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }
}

/** The plugin's own doing, and not that of the disk or of its end. */
function isFaultOf(error: unknown): boolean {
  const codes = ['RESULT_INVALID', 'CALL_REJECTED', 'CALL_TIMEOUT', 'MESSAGE_TOO_LARGE'];
  return error instanceof MmmError && codes.includes(error.code);
}

/** When there is a point in trying again: after a quarantine, else later after each failure. */
function retryAfterMs(error: unknown, failures: number, nowMs: number): number {
  const { triggerRetryMinMs, triggerRetryMaxMs } = hostLimits;
  const usualMs = Math.min(triggerRetryMinMs * 2 ** Math.min(failures - 1, 20), triggerRetryMaxMs);
  if (!MmmError.is(error, 'PLUGIN_UNAVAILABLE') || error.data.untilMs === null) return usualMs;
  return Math.max(usualMs, error.data.untilMs - nowMs);
}

function firstLine(text: string): string {
  return safeText(text.split('\n', 1)[0] ?? '', 400);
}
