import type { ExitReason, MmmError } from '@mmm/protocol';
import type { Session, SessionEnd } from '../handshake/session.ts';

/**
 * What a plugin is now. Facts live in the state in which they are true. Times are epoch milliseconds; `crashes` holds
 * when the last crashes were, oldest first, and is forgotten with stable running and a reset, not with a stop.
 */
export type PluginState =
  /** No process, and none is wanted. The next call starts one. */
  | { readonly kind: 'stopped'; readonly reason: string; readonly crashes: readonly number[] }
  /** A launch is under way. `first`: there was no session before that it restarts, so its failure is not retried. */
  | {
      readonly kind: 'starting';
      readonly sinceMs: number;
      readonly first: boolean;
      readonly crashes: readonly number[];
    }
  | RunningState
  /** Running, with a ping unanswered. Calls still go to it: their own deadlines decide. */
  | DegradedState
  /**
   * Crashed, and not started again before `untilMs`. `wanted`: it starts by itself then; otherwise the first call after
   * `untilMs` starts it, so that a plugin nobody uses is not restarted for nobody.
   */
  | {
      readonly kind: 'backoff';
      readonly untilMs: number;
      readonly cause: MmmError;
      readonly wanted: boolean;
      readonly crashes: readonly number[];
    }
  /** Crashed too often. Nothing starts it before `untilMs`; after that one trial start is made. */
  | { readonly kind: 'quarantined'; readonly untilMs: number; readonly cause: MmmError }
  /** The trial start after a quarantine. If it fails, or the session crashes before it is stable: quarantined again. */
  | { readonly kind: 'probing'; readonly sinceMs: number; readonly untilMs: number; readonly cause: MmmError }
  /** To be stopped as soon as its calls have ended, at `untilMs` at the latest. */
  | {
      readonly kind: 'draining';
      readonly session: Session;
      readonly untilMs: number;
      readonly reason: string;
      readonly next: AfterStop;
      readonly crashes: readonly number[];
    }
  /** Being stopped. Without a session: its launch is being called off. */
  | {
      readonly kind: 'stopping';
      readonly session: Session | undefined;
      readonly reason: string;
      readonly next: AfterStop;
      readonly crashes: readonly number[];
      /** The launch being called off is a trial: the quarantine is not over. */
      readonly quarantine: { readonly untilMs: number; readonly cause: MmmError } | undefined;
    }
  /** Not running, with the reason shown. Nothing is retried by itself; each new call or start tries once more. */
  | { readonly kind: 'failed'; readonly cause: MmmError; readonly crashes: readonly number[] };

/** What is wanted once the old session is gone: a start that came during a stop must not be lost. */
export type AfterStop = 'stopped' | 'starting';

interface Live {
  /** When the session became ready. */
  readonly sinceMs: number;
  readonly session: Session;
  readonly crashes: readonly number[];
  /** It is the trial after a quarantine and not stable yet. */
  readonly probation: boolean;
}
export interface RunningState extends Live {
  readonly kind: 'running';
}
export interface DegradedState extends Live {
  readonly kind: 'degraded';
  readonly unresponsiveSinceMs: number;
}

/** Everything that can happen to a plugin. */
export type PluginEvent =
  /**
   * A caller needs a session, or somebody wants it running. `atOnce`: its user asked for it by name, and neither a
   * backoff nor a quarantine is waited for.
   */
  | { readonly kind: 'start'; readonly atOnce?: boolean }
  /**
   * `inFlight`: calls that wait for an answer; more than none are given a bounded time to get it, `drainMs` or the
   * policy's.
   */
  | { readonly kind: 'stop'; readonly reason: string; readonly inFlight: number; readonly drainMs?: number }
  /** A candidate was found well: its session takes the place of whatever is there. */
  | { readonly kind: 'replace'; readonly session: Session; readonly reason: string }
  /** Forget crashes, quarantine and failure. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'launched'; readonly session: Session }
  /** `wanted`: callers are waiting for it. */
  | { readonly kind: 'launch_failed'; readonly error: MmmError; readonly wanted: boolean }
  /** `wanted`: callers are waiting for another session. `served`: somebody was given this one. */
  | {
      readonly kind: 'exited';
      readonly reason: ExitReason;
      readonly cause: MmmError;
      readonly wanted: boolean;
      readonly served: boolean;
    }
  /** A moment that was waited for has come. May be late or outdated, never harmful. */
  | { readonly kind: 'tick' }
  /** A ping has no answer for `degradedAfterMs`. */
  | { readonly kind: 'unresponsive' }
  /** Something arrived after all. */
  | { readonly kind: 'responsive' }
  /** A ping has no answer for `unresponsiveAfterMs`. */
  | { readonly kind: 'hung'; readonly detail: string }
  /** No call of the draining session is left. */
  | { readonly kind: 'drained' };

/** What the supervisor does after a transition. Outcomes come back as events, so that a stop can get in between. */
export type Effect =
  | { readonly kind: 'launch' }
  | { readonly kind: 'abort_launch' }
  /** Send `tick` then. Replaces an earlier one. */
  | { readonly kind: 'wait_until'; readonly atMs: number }
  | { readonly kind: 'stop'; readonly session: Session; readonly reason: string }
  /** It gets no new call and is stopped when those it works on have ended, or after a bounded time. */
  | { readonly kind: 'retire'; readonly session: Session; readonly reason: string }
  | { readonly kind: 'kill'; readonly session: Session; readonly cause: SessionEnd };
