import type { CallContext } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';

/** What a caller says about itself; the host adds the times. */
export type CallContextFields = Pick<CallContext, 'caller'> &
  Partial<Pick<CallContext, 'trigger' | 'velocity' | 'current_mode' | 'traceparent'>>;

/**
 * The context of one call at the moment it is sent: `timestamp` in UTC with milliseconds, `deadline_ms` the time until
 * the host gives up on it, in whole milliseconds.
 */
export function callContextOf(fields: CallContextFields, clock: Clock, leftMs: number): CallContext {
  const { caller, trigger, velocity, current_mode, traceparent } = fields;
  const timestamp = timestampOf(clock.now());
  const deadlineMs = Math.max(0, Math.floor(leftMs));
  const isPlain = trigger === undefined && velocity === undefined && current_mode === undefined;
  // Copying fields that are not there costs as much as the whole rest of the context.
  if (isPlain && traceparent === undefined) return { caller, timestamp, deadline_ms: deadlineMs };
  return { ...fields, timestamp, deadline_ms: deadlineMs };
}

/** The last one made: of many calls in one millisecond only the first has to print it. */
let last = { atMs: 0, text: new Date(0).toISOString() };

function timestampOf(atMs: number): string {
  if (last.atMs !== atMs) last = { atMs, text: new Date(atMs).toISOString() };
  return last.text;
}
