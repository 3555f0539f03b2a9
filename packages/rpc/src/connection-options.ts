import { type Framing, type ProgressValue, type RpcError, wireLimits } from '@mmm/protocol';
import type { Clock } from './clock.ts';
import type { NotificationEntry, RequestEntry } from './handler.ts';

/** Bounds of one connection. Defaults are `wireLimits`; each field has the meaning it has there. */
export interface ConnectionLimits {
  readonly messageBytes: number;
  readonly headerBytes: number;
  readonly depth: number;
  readonly structure: number;
  readonly logLineBytes: number;
  readonly idSearchBytes: number;
  readonly inboundMessages: number;
  /** Bytes that are read in a second; more waits in the pipe. */
  readonly inboundBytesPerSecond: number;
  readonly outboundMessages: number;
  readonly outboundBytes: number;
  readonly writeDeadlineMs: number;
  readonly cancelGraceMs: number;
  readonly hostRequestsInFlight: number;
  readonly chunksUnacknowledged: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  ...wireLimits,
  inboundBytesPerSecond: Number.POSITIVE_INFINITY,
};

/** Irregularities are counted by kind and never end a connection. */
export const faultKinds = [
  'unknown_id',
  'late_reply',
  'duplicate_reply',
  'invalid_message',
  'oversized_request',
  'oversized_response',
  'batch',
  'wrong_framing',
  'invalid_utf8',
  'invalid_params',
  'invalid_result',
  'unknown_notification',
  'partial_message',
  'unresponsive_to_cancel',
  'handler_failed',
  'too_fast',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface ConnectionFault {
  readonly kind: FaultKind;
  /** A sentence for the log. May quote the peer, so it must be escaped before a person sees it. */
  readonly detail: string;
}

export interface StrayInfo {
  /** Length of the whole line on the wire, without its end. */
  readonly bytes: number;
  /** The line was longer than the limit; only its beginning is given. */
  readonly cut: boolean;
}

export interface ConnectionOptions {
  /** How to write. `mirror`: as the peer's first message was framed, ndjson until then. Reading recognises both. */
  readonly framing: Framing | 'mirror';
  /** The system's clock when absent. */
  readonly clock?: Clock;
  readonly limits?: Partial<ConnectionLimits>;
  /** What this side answers and takes, in any order; the wire name is the method's own. */
  readonly requests?: Readonly<Record<string, RequestEntry>>;
  readonly notifications?: Readonly<Record<string, NotificationEntry>>;
  /** Sends the message of an error that a handler threw, instead of a neutral sentence. For the plugin's side only. */
  readonly exposeErrors?: boolean;
  /**
   * When the input ends, answers the requests in hand before closing. For the plugin's side, so that it can be tried by
   * hand with `echo`.
   */
  readonly finishOnEnd?: boolean;
  /** A line that is no message: something the peer printed. */
  onStray?(line: string, info: StrayInfo): void;
  onFault?(fault: ConnectionFault): void;
  /**
   * Asked when a call or a write is overdue, such as whether somebody debugs the peer. True gives it its whole time
   * once more, and it is asked again then.
   */
  holdsDeadlines?(): boolean;
  /** Asked before a request or notification is handled. An RpcError refuses it: a request is answered with it. */
  accept?(method: string, kind: 'request' | 'notification'): true | RpcError;
}

export interface CallOptions {
  /** Longest silence in milliseconds: restarts with each progress of this call. No limit when absent. */
  readonly timeoutMs?: number;
  /** Longest duration in milliseconds, whatever the progress. No limit when absent. */
  readonly timeoutMaxMs?: number;
  readonly signal?: AbortSignal;
  /** A chunk is acknowledged when what this returns has resolved, so that a slow taker slows the peer down. */
  readonly onProgress?: (value: ProgressValue) => void;
  /** Told the id of the request, in the moment in which it is written. */
  readonly onSent?: (id: number) => void;
  /** Sent as `progress_token`. Made up when absent and `onProgress` is given. */
  readonly progressToken?: string;
}

/**
 * Why a connection ended. `ended`: the input ended. `disposed`: this side closed it. `protocol`: it could not go on.
 * `unresponsive`: the peer did not read for the write deadline. `io`: a stream failed.
 */
export interface CloseCause {
  readonly kind: 'ended' | 'disposed' | 'protocol' | 'unresponsive' | 'io';
  readonly detail: string;
}

export interface ConnectionCounters {
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  strayLines: number;
  /** Notifications of this side that were not sent, because the peer does not read or they are over a limit. */
  dropped: number;
  /** How many of each kind; every kind is present. */
  readonly faults: Record<FaultKind, number>;
}

export function emptyCounters(): ConnectionCounters {
  const faults = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  return { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, strayLines: 0, dropped: 0, faults };
}
