import { type CallContext, MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { safeText } from '../display/safe-text.ts';
import type { JournalEvent } from '../events/journal.ts';
import { hostLimits } from '../limits.ts';
import type { Mapping } from './mapping.ts';
import { expandTemplate, TemplateFailed, type TemplateValues } from './template.ts';

/** The mode in force. */
export interface CurrentMode {
  readonly index: number;
  readonly name: string;
}

/** What an action is called with. */
export interface MappedCall {
  readonly plugin: string;
  /** As the file names it; undefined for the only one that fits. */
  readonly capability: string | undefined;
  readonly params: unknown;
  readonly timeoutMs: number | undefined;
  readonly context: Pick<CallContext, 'caller'> & Partial<CallContext>;
  /** How many events led to this call, one through the other. */
  readonly depth: number;
}

export interface RunnerServices {
  readonly clock: Clock;
  mode(): CurrentMode | null;
  setMode(name: string): void;
  execute(call: MappedCall, signal?: AbortSignal): Promise<{ readonly output: unknown; readonly durationMs: number }>;
}

/** What became of the actions of one mapping since this host runs it. */
export interface MappingOutcome {
  readonly runs: number;
  readonly failures: number;
  /** RFC 3339; null before the first. */
  readonly lastAt: string | null;
  readonly lastError: string | null;
}

const never: MappingOutcome = { runs: 0, failures: 0, lastAt: null, lastError: null };

/** What a run did: the mode it put in force, or what the plugin answered. */
export type RunResult =
  | { readonly kind: 'mode'; readonly mode: string }
  | { readonly kind: 'call'; readonly output: unknown; readonly durationMs: number };

/** What would be run, for an event. */
export type PlannedAction =
  | { readonly kind: 'mode'; readonly mode: string }
  | { readonly kind: 'call'; readonly call: MappedCall };

/** What of an event an action is made of. */
export type PlannedEvent = Omit<JournalEvent, 'seq' | 'asked'>;

/** Turns events into actions, so many at a time. */
export class MappingRunner {
  readonly #services: RunnerServices;
  readonly #outcomes = new Map<string, MappingOutcome>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(services: RunnerServices) {
    this.#services = services;
  }

  outcomeOf(mapping: string): MappingOutcome {
    return this.#outcomes.get(mapping) ?? never;
  }

  /** What the action of a mapping is for this event. Throws TemplateFailed. */
  plan({ name, settings, params }: Mapping, event: PlannedEvent, mode = this.#services.mode()): PlannedAction {
    const { action } = settings;
    if (action.mode !== undefined) return { kind: 'mode', mode: action.mode };
    const velocity = velocityOf(event.data);
    const { id, type, data, timestamp, source, instance } = event;
    const values: TemplateValues = { event: { id, type, data, timestamp, source }, mapping: name, mode, velocity };
    const context = {
      caller: { kind: 'mapping' as const, id: name },
      ...(instance === null ? {} : { trigger: { plugin: source, instance, event_id: id } }),
      ...(velocity === null ? {} : { velocity }),
      ...(mode === null ? {} : { current_mode: { index: mode.index, name: mode.name } }),
    };
    return {
      kind: 'call',
      call: {
        plugin: action.plugin ?? '',
        capability: action.capability,
        params: expandTemplate(params, values, hostLimits.templateChars),
        timeoutMs: action.timeout_s === undefined ? undefined : action.timeout_s * 1000,
        context,
        depth: event.depth,
      },
    };
  }

  /** Does it, when there is a place free. Rejects with why it failed, which is also remembered. */
  async run(
    mapping: Mapping,
    event: PlannedEvent,
    signal?: AbortSignal,
    mode?: CurrentMode | null,
  ): Promise<RunResult> {
    await this.#enter(signal);
    try {
      signal?.throwIfAborted();
      const planned = this.plan(mapping, event, mode);
      const result = await this.#do(planned, signal);
      this.#count(mapping.name, null);
      return result;
    } catch (error) {
      if (signal?.aborted !== true && !MmmError.is(error, 'HOST_CLOSED')) this.#count(mapping.name, error);
      throw error;
    } finally {
      this.#leave();
    }
  }

  async #do(planned: PlannedAction, signal: AbortSignal | undefined): Promise<RunResult> {
    if (planned.kind === 'mode') {
      this.#services.setMode(planned.mode);
      return planned;
    }
    return { kind: 'call', ...(await this.#services.execute(planned.call, signal)) };
  }

  #count(name: string, error: unknown): void {
    const { runs, failures, lastError } = this.outcomeOf(name);
    this.#outcomes.set(name, {
      runs: runs + 1,
      failures: failures + (error === null ? 0 : 1),
      lastAt: new Date(this.#services.clock.now()).toISOString(),
      lastError: error === null ? lastError : reasonOf(error),
    });
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    if (this.#running < hostLimits.mappingActions) {
      this.#running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener('abort', give);
        resolve();
      };
      const give = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', give, { once: true });
      this.#waiting.push(start);
    });
  }

  /** The place goes to who waits longest, or is free. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

/** Whether another try of the same event cannot come out otherwise. */
export function isFinal(error: unknown): boolean {
  return error instanceof TemplateFailed || MmmError.is(error, 'INPUT_INVALID');
}

export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return safeText(text.split('\n', 1)[0] ?? '', hostLimits.mappingErrorChars);
}

function velocityOf(data: unknown): number | null {
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, 'velocity')) return null;
  const { velocity } = data as { readonly velocity: unknown };
  const isOne = typeof velocity === 'number' && Number.isInteger(velocity) && velocity >= 0 && velocity <= 127;
  return isOne ? velocity : null;
}
