import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type {
  DeadLetter,
  EmitOptions,
  EmitReport,
  EventFilter,
  EventRecord,
  EventStatus,
  Events,
  FollowEventsOptions,
} from './api-events.ts';
import { checkArguments } from './arguments.ts';
import type { AuditSink } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import { safeText } from './display/safe-text.ts';
import type { EventActions } from './event-actions.ts';
import { type EventConsumers, hasHookFor } from './event-consumers.ts';
import type { EventDispatcher } from './events/dispatcher.ts';
import { applicationSource, applicationTypeProblem, hostSource } from './events/event-types.ts';
import { typeMatcher } from './events/glob.ts';
import { askHooks, type RoundResult } from './events/hook-round.ts';
import type { EventJournal, JournalEvent } from './events/journal.ts';
import { hostLimits } from './limits.ts';
import type { DeadLetterRow, EventStore } from './store/event-records.ts';

export interface EventsOfHostParts {
  readonly journal: EventJournal;
  readonly store: EventStore;
  readonly dispatcher: EventDispatcher;
  readonly consumers: EventConsumers;
  readonly actions: EventActions;
  readonly audit: AuditSink;
  readonly clock: Clock;
  /** Who emits, unless it is said. */
  readonly application: string;
  /** Those of the plugins that are known which are enabled. */
  enabled(isWanted: (spec: PluginSpec) => boolean): Promise<readonly PluginSpec[]>;
  /** What handles an event once for a consumer that is no plugin; undefined for plugins. */
  handlerOf(consumer: string): ((event: JournalEvent) => Promise<void>) | undefined;
  /** Throws HOST_CLOSED. */
  assertOpen(): void;
}

/** Events listed when nobody says how many, and read in one go when they are followed. */
const listed = 100;

/** The journal of events as programs see it, and what they emit. */
export class EventsOfHost implements Events {
  readonly #parts: EventsOfHostParts;

  constructor(parts: EventsOfHostParts) {
    this.#parts = parts;
  }

  async emit(type: string, data: unknown = null, options: EmitOptions = {}): Promise<EmitReport> {
    this.#parts.assertOpen();
    checkArguments('host.emit', { type, options });
    const { source, signal } = options;
    const { journal, actions, consumers } = this.#parts;
    const problem = applicationTypeProblem(type);
    if (problem !== undefined) throw notAType(type, problem);
    const name = applicationSource(source ?? this.#parts.application);
    const { event, round } = await consumers.round(async () => {
      const [appended] = await journal.append([{ type, data, source: name, asked: true }]);
      const event = appended && journal.get(appended.seq);
      if (event === undefined) throw new Error('an event that was journalled is not there');
      return { event, round: await this.#ask(event, signal) };
    });
    this.#record(event, round);
    const { veto, wanted } = round;
    const reports = [];
    for (const { hook, action } of wanted)
      reports.push(...(await actions.run(hook, [action], { depth: event.depth, signal })));
    await consumers.refreshed();
    this.#parts.dispatcher.wake();
    const failedHooks = round.failed.map(({ plugin, error }) => ({ plugin, error }));
    return {
      ...{ id: event.id, actions: reports },
      ...(veto === undefined ? {} : { veto }),
      ...(failedHooks.length === 0 ? {} : { failedHooks }),
    };
  }

  async list(filter: EventFilter = {}): Promise<readonly EventRecord[]> {
    this.#parts.assertOpen();
    checkArguments('host.events', { filter });
    const limit = Math.min(filter.limit ?? listed, hostLimits.eventsRead);
    const wanted = typeMatcher(filter.types ?? ['*']);
    const found: EventRecord[] = [];
    // From the end, page by page, for as long as there is less than was asked for.
    for (let beforeSeq = Number.MAX_SAFE_INTEGER; found.length < limit; ) {
      const page = this.#parts.journal.before(beforeSeq, filter.since?.getTime() ?? 0, hostLimits.eventScan);
      for (const event of page) if (wanted(event.type) && found.length < limit) found.push(recordOf(event));
      const oldest = page.at(-1);
      if (oldest === undefined || page.length < hostLimits.eventScan) break;
      beforeSeq = oldest.seq;
    }
    return found.reverse();
  }

  async *follow({ signal, ...filter }: FollowEventsOptions = {}): AsyncIterable<EventRecord> {
    const { journal, clock } = this.#parts;
    checkArguments('host.events', { filter });
    const wanted = typeMatcher(filter.types ?? ['*']);
    let cursor = journal.head();
    for (const event of await this.list(filter)) {
      if (event.seq <= cursor) yield event;
    }
    for (;;) {
      const page = journal.list({ afterSeq: cursor, limit: listed });
      for (const event of page) {
        cursor = event.seq;
        if (isEnded(signal)) return;
        if (wanted(event.type)) yield recordOf(event);
      }
      if (page.length > 0) continue;
      // A person who follows it does not notice this; other processes append, too.
      if (isEnded(signal)) return;
      await clock.sleep(hostLimits.eventPollMs, signal).catch(() => undefined);
    }
  }

  async deliver(): Promise<void> {
    this.#parts.assertOpen();
    await this.#parts.consumers.refresh();
    this.#parts.dispatcher.wake();
    await this.#parts.dispatcher.settled(this.#parts.journal.head());
  }

  async status(): Promise<EventStatus> {
    this.#parts.assertOpen();
    const { store, journal, dispatcher } = this.#parts;
    const head = journal.head();
    const dead = store.deadCounts();
    return {
      ...store.size(),
      isDelivering: dispatcher.isDelivering,
      consumers: store.consumers().map(({ consumer, cursor, expired }) => ({
        ...{ consumer, expired },
        behind: Math.max(0, head - dispatcher.cursorOf(consumer, cursor)),
        deadLetters: dead.get(consumer) ?? 0,
      })),
    };
  }

  async deadLetters(consumer?: string): Promise<readonly DeadLetter[]> {
    this.#parts.assertOpen();
    return this.#parts.store.deadLetters(consumer).map(letterOf);
  }

  async retry(id: number): Promise<string | null> {
    this.#parts.assertOpen();
    checkArguments('host.events.retry', { id });
    const { store, consumers, clock } = this.#parts;
    const letter = store.deadLetter(id);
    if (letter === undefined) throw noLetter(id);
    // A plugin of a folder is kept under its name and that folder.
    const [plugin = letter.consumer] = letter.consumer.split('@');
    try {
      const handle = this.#parts.handlerOf(letter.consumer);
      if (handle !== undefined) {
        await handle(eventOfLetter(letter));
        store.removeDeadLetter(id);
        return null;
      }
      const { actions } = await consumers.ask(plugin, eventOfLetter(letter), { timeoutMs: hostLimits.eventTimeoutMs });
      store.removeDeadLetter(id);
      await this.#parts.actions.run(plugin, actions, letter);
      return null;
    } catch (error) {
      const reason = safeText(error instanceof Error ? error.message : String(error), hostLimits.deadLetterErrorChars);
      store.failedAgain(id, letter.tries + 1, reason, clock.now());
      return reason;
    }
  }

  async drop(id: number): Promise<boolean> {
    this.#parts.assertOpen();
    checkArguments('host.events.retry', { id });
    return this.#parts.store.removeDeadLetter(id);
  }

  /** In the order of their names, so that the same plugins always answer in the same order. */
  async #ask(event: JournalEvent, signal: AbortSignal | undefined): Promise<RoundResult> {
    const { consumers, clock } = this.#parts;
    const specs = await this.#parts.enabled((spec) => hasHookFor(spec, event.type));
    const hooks = specs
      .toSorted((one, other) => (one.id < other.id ? -1 : 1))
      .map(({ id, manifest }) => ({
        id,
        isImportant: manifest.plugin.important,
        ask: async (leftMs: number, aborted: AbortSignal | undefined) => {
          const timeoutMs = Math.min(leftMs, hostLimits.hookTimeoutMs);
          const answer = await consumers.ask(id, event, { timeoutMs, startMs: leftMs, signal: aborted });
          consumers.askedHook(id, event.seq);
          return answer;
        },
      }));
    return await askHooks(hooks, clock, signal);
  }

  #record({ id, type, depth }: JournalEvent, { veto, failed }: RoundResult): void {
    const { audit, journal } = this.#parts;
    for (const { plugin, counted, error } of failed) {
      audit.append({ action: 'hook', plugin, detail: { event: id, type, outcome: 'failed', counted, error } });
    }
    if (veto === undefined) return;
    const { plugin, reason } = veto;
    audit.append({ action: 'hook', plugin, detail: { event: id, type, outcome: 'veto', reason } });
    journal.note({ type: 'event.vetoed', data: { event: id, type, plugin, reason }, source: hostSource, depth });
  }
}

function isEnded(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function recordOf({ id, seq, type, data, timestamp, source, depth }: JournalEvent): EventRecord {
  return { id, seq, type, data, timestamp, source, depth };
}

function letterOf({ atMs, failedAtMs, data, depth, ...letter }: DeadLetterRow): DeadLetter {
  return {
    ...letter,
    data: JSON.parse(data),
    timestamp: new Date(atMs).toISOString(),
    failedAt: new Date(failedAtMs).toISOString(),
  };
}

function eventOfLetter({ eventId, type, source, depth, atMs, data }: DeadLetterRow): JournalEvent {
  const timestamp = new Date(atMs).toISOString();
  return { seq: 0, id: eventId, type, source, depth, timestamp, data: JSON.parse(data), instance: null, asked: false };
}

function notAType(type: string, problem: string): MmmError<'CONFIG_INVALID'> {
  const message = `${JSON.stringify(type.slice(0, 200))} cannot be the type of this event: it ${problem}.`;
  return new MmmError('CONFIG_INVALID', message, { file: 'host.emit', issues: [{ path: 'type', message: problem }] });
}

function noLetter(id: number): MmmError<'CONFIG_INVALID'> {
  const message = `No event was put by under the number ${id}. Run \`mmm events dead list\`: it shows those there are.`;
  return new MmmError('CONFIG_INVALID', message, {
    file: 'events.retry',
    issues: [{ path: 'id', message: 'is not there' }],
  });
}
