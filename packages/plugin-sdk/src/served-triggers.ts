import { RpcError } from '@mmm/protocol';
import { type Clock, systemClock } from '@mmm/rpc';
import type { PluginContext } from './context.ts';
import { parseWith } from './schema.ts';
import { TriggerJournal } from './trigger-journal.ts';
import type { Trigger, TriggerEvent } from './triggers.ts';

/** Events that may be unacknowledged before `emit` waits: an hour of one a second, or a burst. */
const eventsKept = 10_000;
/** And their size. */
const bytesKept = 32 * 1024 * 1024;
/** Largest data of one event that the host takes. */
const eventBytesMax = 256 * 1024;
/** Of one answer to a poll, below the largest message. */
const pollBytes = 4 * 1024 * 1024;

interface Armed {
  readonly trigger: string;
  /** As JSON: armed again with the same is nothing new. */
  readonly config: string;
  readonly abort: AbortController;
  stop: () => unknown;
}

export interface PollParams {
  readonly instances?: readonly string[] | undefined;
  readonly ack: string | null;
  readonly max: number;
  readonly wait_ms: number;
}

/** The triggers of one session: arms them, keeps what they tell, and answers polls. */
export class ServedTriggers {
  readonly #triggers: Readonly<Record<string, Trigger>>;
  readonly #context: () => PluginContext<unknown>;
  readonly #clock: Clock;
  readonly #armed = new Map<string, Armed>();
  #journal: TriggerJournal | undefined;
  /** Ends the wait of the poll that is open. */
  #wake: () => void = () => undefined;
  /** Those who wait for room. */
  #waiting: (() => void)[] = [];

  constructor(triggers: Readonly<Record<string, Trigger>>, context: () => PluginContext<unknown>, clock = systemClock) {
    this.#triggers = triggers;
    this.#context = context;
    this.#clock = clock;
  }

  /** Answers `start_trigger`. Throws UnknownCapability, InvalidParams, and what the author's `start` throws. */
  async start(name: string, instance: string, raw: Readonly<Record<string, unknown>>): Promise<void> {
    const trigger = Object.hasOwn(this.#triggers, name) ? this.#triggers[name] : undefined;
    if (trigger === undefined) {
      const known = Object.keys(this.#triggers).join(', ');
      throw RpcError.of('UnknownCapability', `No trigger "${name}" here; there is ${known || 'none'}.`);
    }
    const config = JSON.stringify(raw);
    const before = this.#armed.get(instance);
    if (before?.trigger === name && before.config === config) return;
    await this.stop(instance);
    const typed = await parseWith(trigger.config, raw, 'The configuration of the trigger', 'invalid_params');
    const abort = new AbortController();
    const armed: Armed = { trigger: name, config, abort, stop: () => undefined };
    this.#armed.set(instance, armed);
    const handle = {
      instance,
      config: typed,
      signal: abort.signal,
      emit: (event: TriggerEvent) => this.#emit(instance, event, trigger.durable, abort.signal),
    };
    try {
      const stop = await trigger.start(handle, this.#context());
      if (typeof stop === 'function') armed.stop = stop as () => unknown;
    } catch (error) {
      abort.abort(error);
      if (this.#armed.get(instance) === armed) this.#armed.delete(instance);
      throw error;
    }
    // Disarmed while it started.
    if (abort.signal.aborted) await armed.stop();
  }

  /** Answers `stop_trigger`. What it has told so far is still kept. */
  async stop(instance: string, reason = 'the trigger was disarmed'): Promise<void> {
    const armed = this.#armed.get(instance);
    if (armed === undefined) return;
    this.#armed.delete(instance);
    armed.abort.abort(new Error(reason));
    await armed.stop();
  }

  async stopAll(reason: string): Promise<void> {
    this.#wake();
    await Promise.all([...this.#armed.keys()].map((instance) => this.stop(instance, reason)));
  }

  /** Answers `poll_events`: at once when there is something, else when there is, or empty after `wait_ms`. */
  async poll({ instances, ack, max, wait_ms: waitMs }: PollParams, signal: AbortSignal): Promise<unknown> {
    // The host has one open at a time; one that it gave up must not take what belongs to the next.
    this.#wake();
    const journal = this.#kept();
    if (ack !== null) {
      journal.acknowledge(ack);
      this.#makeRoom();
    }
    const read = () => journal.read(max, pollBytes, instances);
    const now = read();
    if (now.events.length > 0 || waitMs === 0) return now;
    await this.#next(waitMs, signal);
    return signal.aborted ? now : read();
  }

  async #emit(instance: string, event: TriggerEvent, durable: boolean, signal: AbortSignal): Promise<void> {
    const { type, data = null, id, at } = event;
    const bytes = Buffer.byteLength(JSON.stringify(data) ?? '');
    if (bytes > eventBytesMax) throw new RangeError(`The data of "${type}" has ${bytes} bytes, above 256 KiB.`);
    const journal = this.#kept();
    while (journal.size >= eventsKept || journal.bytes >= bytesKept) await this.#room(signal);
    signal.throwIfAborted();
    const timestamp = (at ?? new Date(this.#clock.now())).toISOString();
    journal.add({ id, instance, type, data, timestamp }, durable);
    this.#wake();
  }

  #kept(): TriggerJournal {
    this.#journal ??= new TriggerJournal(this.#context().plugin.dataDirectory);
    return this.#journal;
  }

  #next(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        if (this.#wake === done) this.#wake = () => undefined;
        resolve();
      };
      const timer = this.#clock.after(waitMs, done);
      signal.addEventListener('abort', done);
      this.#wake = done;
    });
  }

  #room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  #makeRoom(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}
