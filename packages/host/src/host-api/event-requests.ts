import { hostMethods, MmmError, RpcError } from '@mmm/protocol';
import { onRequest, type RequestEntry } from '@mmm/rpc';
import { pluginTypeProblem, refusedType, typeProblem } from '../events/event-types.ts';
import { hostLimits } from '../limits.ts';
import type { Requester } from './requester.ts';

type EventMethod = 'emit_event' | 'subscribe_to_event' | 'unsubscribe_from_event';

/** One life of a plugin as events know it. */
export interface EventClient {
  readonly requester: Pick<Requester, 'plugin' | 'need'>;
  /** The same as the `plugin` of its session. */
  readonly life: object;
  /** Writes an error into the plugin's log. */
  note(message: string): void;
}

export interface EventServices {
  /** Told of each life of a plugin before it asks for anything. */
  begun(client: EventClient): void;
  /** The first words of types that are names of plugins. */
  isPlugin(name: string): Promise<boolean>;
  /** How many events led to what this plugin emits now. */
  depthOf(plugin: string): number;
  /** False when it emits more than it may. */
  mayEmit(plugin: string): boolean;
  /** Journals it, and has it delivered. Returns its id. */
  emit(plugin: string, type: string, data: unknown, depth: number): Promise<string>;
  /** Events of these types from now on, for as long as this life lasts. False for one subscription too many. */
  subscribe(client: EventClient, glob: string): boolean;
  unsubscribe(client: EventClient, glob: string): void;
}

const globPattern = /^[A-Za-z0-9_*./-]+$/;

/** Events that a plugin emits, and those it asks for while it runs. */
export function eventRequests(client: EventClient, events: EventServices): Readonly<Record<EventMethod, RequestEntry>> {
  const { plugin } = client.requester;
  const noted = new Set<string>();
  const once = (what: string, error: RpcError): RpcError => {
    // Said once a life: a plugin that goes on would fill its log with it.
    if (!noted.has(what)) client.note(error.message);
    noted.add(what);
    return error;
  };
  events.begun(client);
  return {
    emit_event: onRequest(hostMethods.emit_event, async ({ type, data }) => {
      if (!events.mayEmit(plugin)) throw once('rate', tooMany(plugin));
      const word = type.split('.', 1)[0] ?? type;
      const isTaken = word !== plugin && (await events.isPlugin(word));
      const problem = pluginTypeProblem(type, plugin, () => isTaken);
      if (problem !== undefined) throw once('type', refusedType(type, problem));
      const depth = events.depthOf(plugin);
      if (depth > hostLimits.eventDepth) throw once('depth', looping(type));
      return { id: await events.emit(plugin, type, data, depth).catch(refused) };
    }),
    subscribe_to_event: onRequest(hostMethods.subscribe_to_event, ({ type }) => {
      if (!globPattern.test(type)) throw refusedType(type, `is no glob: ${typeProblem('') ?? ''}, and "*".`);
      if (!events.subscribe(client, type)) throw tooManySubscriptions();
      return {};
    }),
    unsubscribe_from_event: onRequest(hostMethods.unsubscribe_from_event, ({ type }) => {
      events.unsubscribe(client, type);
      return {};
    }),
  };
}

function refused(error: unknown): never {
  if (MmmError.is(error, 'MESSAGE_TOO_LARGE')) throw RpcError.of('MessageTooLarge', error.message);
  if (MmmError.is(error, 'STATE_UNREADABLE')) {
    throw RpcError.of('StorageFailed', 'The event could not be journalled: the disk of the host is full or fails.');
  }
  throw error;
}

function tooMany(plugin: string): RpcError {
  const perSecond = `${plugin} may emit only so many events a second`;
  return RpcError.of('QuotaExceeded', `${perSecond}. Emit fewer, or several things as one event.`);
}

function looping(type: string): RpcError {
  const sentence =
    `"${type}" was not emitted: ${hostLimits.eventDepth} events led to it, one through the other, which is a loop. ` +
    'An answer to an event must not always emit what leads to that event again.';
  return RpcError.of('QuotaExceeded', sentence, { reason: 'depth' });
}

function tooManySubscriptions(): RpcError {
  const sentence = `A session may have ${hostLimits.eventSubscriptions} subscriptions. Use globs that name more.`;
  return RpcError.of('QuotaExceeded', sentence);
}
