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
  return {
    ...fields,
    timestamp: new Date(clock.now()).toISOString(),
    deadline_ms: Math.max(0, Math.floor(leftMs)),
  };
}
