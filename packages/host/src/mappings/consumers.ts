import { type ErrorCode, MmmError } from '@mmm/protocol';
import { ConsumerAway, EventUnfit } from '../events/consumer.ts';
import type { EventDispatcher } from '../events/dispatcher.ts';
import type { EventStore } from '../store/event-records.ts';
import { isMappingConsumer, type Mapping } from './mapping.ts';
import { isFinal, type MappingRunner, reasonOf } from './runner.ts';

export interface MappingConsumersServices {
  readonly dispatcher: Pick<EventDispatcher, 'add'>;
  readonly store: Pick<EventStore, 'consumers' | 'removeConsumer'>;
  readonly runner: Pick<MappingRunner, 'run'>;
  /** Enabled, and of the mode in force. */
  isActive(mapping: Mapping): boolean;
}

/** Nobody can say that the event or the mapping is at fault: the plugin is not there, and may be later. */
const away: ReadonlySet<ErrorCode> = new Set([
  'PLUGIN_NOT_FOUND',
  'PLUGIN_DISABLED',
  'PLUGIN_UNAVAILABLE',
  'CONSENT_REQUIRED',
  'DEPENDENCY_MISSING',
  'DEPENDENCY_FAILED',
  'HOST_CLOSED',
]);

/** The mappings as consumers of the journal: each has a place of its own there, and one event at a time. */
export class MappingConsumers {
  readonly #services: MappingConsumersServices;
  readonly #served = new Map<string, { readonly mapping: { current: Mapping }; end(): Promise<void> }>();

  constructor(services: MappingConsumersServices) {
    this.#services = services;
  }

  /** From here on these and no others. What is changed of one that stays holds from its next event on. */
  async set(mappings: readonly Mapping[]): Promise<void> {
    const wanted = new Map(mappings.map((mapping) => [mapping.consumer, mapping]));
    for (const [consumer, { mapping, end }] of this.#served) {
      const next = wanted.get(consumer);
      if (next !== undefined) {
        mapping.current = next;
        continue;
      }
      this.#served.delete(consumer);
      await end();
    }
    for (const mapping of mappings) if (!this.#served.has(mapping.consumer)) this.#serve(mapping);
    this.#forget(wanted);
  }

  #serve(first: Mapping): void {
    const mapping = { current: first };
    const { runner, isActive, dispatcher } = this.#services;
    const end = dispatcher.add({
      name: first.consumer,
      isDurable: true,
      wants: ({ type }) => isActive(mapping.current) && mapping.current.wantsType(type),
      handle: async (event, signal) => {
        // A mode may have been put in force since it was looked for.
        if (!isActive(mapping.current) || !mapping.current.matches(event)) return;
        try {
          await runner.run(mapping.current, event, signal);
        } catch (error) {
          throw asFault(error);
        }
      },
    });
    this.#served.set(first.consumer, { mapping, end });
  }

  /** The places of mappings that are no longer in the file would keep events from ever being dropped. */
  #forget(wanted: ReadonlyMap<string, unknown>): void {
    for (const { consumer } of this.#services.store.consumers()) {
      if (isMappingConsumer(consumer) && !wanted.has(consumer)) this.#services.store.removeConsumer(consumer);
    }
  }
}

function asFault(error: unknown): unknown {
  if (isFinal(error)) return new EventUnfit(reasonOf(error), { cause: error });
  if (!(error instanceof MmmError)) return error;
  const wasStopped = MmmError.is(error, 'PLUGIN_EXITED') && error.data.reason.kind === 'requested';
  return wasStopped || away.has(error.code) ? new ConsumerAway(error.message, { cause: error }) : error;
}
