import type { Method, Notification, Params, ProgressValue, ResultInput } from '@mmm/protocol';

/** What a request handler knows about its request beyond the params. */
export interface HandlerContext {
  readonly id: string | number;
  /** Which request of this side the peer says it belongs to, by the `call_id` of its params. */
  readonly callId: string | number | undefined;
  /** Aborts when the peer cancels the request and when the connection ends. */
  readonly signal: AbortSignal;
  /** Sends progress if the caller asked for it with `progress_token`, otherwise does nothing. */
  progress(value: ProgressValue): void;
  /** Resolves when fewer than 64 chunks of this request are unacknowledged, and when the connection ends. */
  room(): Promise<void>;
}

/** A request this side answers. Built by `onRequest`, which checks the types. */
export interface RequestEntry {
  readonly method: Method;
  handle(params: unknown, context: HandlerContext): unknown;
}

/** A notification this side takes. Built by `onNotification`, which checks the types. */
export interface NotificationEntry {
  readonly notification: Notification;
  handle(params: unknown): void;
}

/** Pairs a method with its handler. The handler gets checked params with their defaults filled in. */
export function onRequest<M extends Method>(
  method: M,
  handle: (params: Params<M>, context: HandlerContext) => Promise<ResultInput<M>> | ResultInput<M>,
): RequestEntry {
  return { method, handle: (params, context) => handle(params as Params<M>, context) };
}

/** Pairs a notification with its handler. A handler that throws is counted, and nothing else happens. */
export function onNotification<N extends Notification>(
  notification: N,
  handle: (params: Params<N>) => void,
): NotificationEntry {
  return { notification, handle: (params) => handle(params as Params<N>) };
}
