import type { MmmError } from '@mmm/protocol';
import type { PluginState as Supervised } from './supervise/state.ts';

/** What a plugin is now, as a snapshot. Times are epoch milliseconds. */
export type PluginState =
  /** No process, and none is wanted. The next call starts one. */
  | { readonly kind: 'stopped'; readonly reason: string }
  /** A launch is under way; calls wait for it. */
  | { readonly kind: 'starting'; readonly sinceMs: number }
  | { readonly kind: 'running'; readonly sinceMs: number; readonly pid: number }
  /** Running, with a ping unanswered. Calls still go to it: their own deadlines decide. */
  | {
      readonly kind: 'degraded';
      readonly sinceMs: number;
      readonly unresponsiveSinceMs: number;
      readonly pid: number;
    }
  /** Crashed, and not started again before `untilMs`. */
  | { readonly kind: 'backoff'; readonly untilMs: number; readonly cause: MmmError }
  /** Crashed too often. Nothing starts it before `untilMs`; after that one trial start is made. */
  | { readonly kind: 'quarantined'; readonly untilMs: number; readonly cause: MmmError }
  /** The trial start after a quarantine. */
  | { readonly kind: 'probing'; readonly sinceMs: number; readonly cause: MmmError }
  /** To be stopped as soon as its calls have ended, at `untilMs` at the latest. */
  | { readonly kind: 'draining'; readonly untilMs: number; readonly reason: string; readonly pid: number }
  | { readonly kind: 'stopping'; readonly reason: string; readonly pid: number | null }
  /** Not running, with the reason. Nothing is retried by itself; each new call or start tries once more. */
  | { readonly kind: 'failed'; readonly cause: MmmError };

/** The facts for embedders: a session is the host's own. */
export function publicState(state: Supervised): PluginState {
  const { kind } = state;
  switch (kind) {
    case 'stopped':
      return { kind, reason: state.reason };
    case 'starting':
      return { kind, sinceMs: state.sinceMs };
    case 'running':
      return { kind, sinceMs: state.sinceMs, pid: state.session.pid };
    case 'degraded': {
      const { sinceMs, unresponsiveSinceMs, session } = state;
      return { kind, sinceMs, unresponsiveSinceMs, pid: session.pid };
    }
    case 'backoff':
    case 'quarantined':
      return { kind, untilMs: state.untilMs, cause: state.cause };
    case 'probing':
      return { kind, sinceMs: state.sinceMs, cause: state.cause };
    case 'draining':
      return { kind, untilMs: state.untilMs, reason: state.reason, pid: state.session.pid };
    case 'stopping':
      return { kind, reason: state.reason, pid: state.session?.pid ?? null };
    case 'failed':
      return { kind, cause: state.cause };
  }
}

export async function* publicStates(states: AsyncIterable<Supervised>): AsyncGenerator<PluginState, void> {
  for await (const state of states) yield publicState(state);
}
