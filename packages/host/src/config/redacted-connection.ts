import type { CallOptions, Connection } from '@mmm/rpc';
import type { Redactor } from './redactor.ts';

/** A connection whose failures and reports say no secret. Answers pass unchanged: they are for the caller. */
export function redactedConnection(connection: Connection, redactor: Redactor): Connection {
  const safeOptions = (options: CallOptions | undefined): CallOptions | undefined => {
    const { onProgress } = options ?? {};
    if (onProgress === undefined) return options;
    return {
      ...options,
      onProgress: (value) => onProgress(value.kind === 'report' ? redactor.value(value) : value),
    };
  };
  return {
    call: async (method, params, options) => {
      try {
        return await connection.call(method, params, safeOptions(options));
      } catch (error) {
        throw redactor.error(error);
      }
    },
    notify: (notification, params) => connection.notify(notification, params),
    holdIdle: (id) => connection.holdIdle(id),
    get inFlight() {
      return connection.inFlight;
    },
    get lastMessageAtMs() {
      return connection.lastMessageAtMs;
    },
    get paused() {
      return connection.paused;
    },
    get isFull() {
      return connection.isFull;
    },
    get isClosed() {
      return connection.isClosed;
    },
    room: () => connection.room(),
    counters: connection.counters,
    closed: connection.closed.then((cause) => redactor.value(cause)),
    close: (cause) => connection.close(cause),
  };
}
