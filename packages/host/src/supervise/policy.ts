import type { Manifest } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';
import type { SupervisionNumbers } from '../settings/supervision.ts';

/** When a plugin is started again. All times in milliseconds. */
export interface RestartPolicy {
  readonly kind: 'always' | 'on_failure' | 'never';
  /** Restarted after a crash even when nobody waits for it. */
  readonly important: boolean;
  /** This many crashes within `windowMs` quarantine it; infinity: it is never quarantined. At least 1. */
  readonly crashesMax: number;
  readonly windowMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Running this long forgets earlier crashes. */
  readonly stableAfterMs: number;
  readonly quarantineMs: number;
  /** How long calls in flight may hold up a stop. */
  readonly drainMs: number;
}

/** When silence during a call means something. All times in milliseconds. */
export interface LivenessPolicy {
  /** Silence after which a ping is sent. */
  readonly pingAfterMs: number;
  /** No answer to it: shown as degraded. At most `unresponsiveAfterMs`. */
  readonly degradedAfterMs: number;
  /** No answer to it: ended, as a crash. */
  readonly unresponsiveAfterMs: number;
}

/** What is kept ready beside the process in use: nothing, a started program, or one that answered `initialize`. */
export type Standby = 'off' | 'loaded' | 'initialized';

/** Everything that decides how one plugin is supervised. */
export interface SupervisionPolicy {
  readonly restart: RestartPolicy;
  readonly liveness: LivenessPolicy;
  /** Stopped after so long without a call, in milliseconds; infinity: never. */
  readonly idleStopMs: number;
  readonly standby: Standby;
}

type Subject = Pick<Manifest, 'restart' | 'plugin' | 'limits'>;

/** What the user set, over what the author of the plugin wrote, over the host's numbers. */
export function supervisionPolicyOf(manifest: Subject, user: SupervisionNumbers = {}): SupervisionPolicy {
  const unresponsiveAfterMs = msOf(user.unresponsive_after_s) ?? hostLimits.unresponsiveAfterMs;
  const restart = restartPolicyOf(manifest, user);
  return {
    restart,
    liveness: {
      pingAfterMs: msOf(user.ping_after_s) ?? hostLimits.pingAfterSilenceMs,
      degradedAfterMs: Math.min(msOf(user.degraded_after_s) ?? hostLimits.degradedAfterMs, unresponsiveAfterMs),
      unresponsiveAfterMs,
    },
    idleStopMs: restartsUnasked(restart) ? Number.POSITIVE_INFINITY : idleStopMs(manifest, user),
    // At most one process of it may run, a spare included.
    standby: manifest.plugin.exclusive ? 'off' : (user.standby ?? manifest.plugin.standby),
  };
}

function restartPolicyOf({ restart, plugin }: Subject, user: SupervisionNumbers): RestartPolicy {
  const backoffMaxMs =
    msOf(user.backoff_max_s) ??
    Math.max(msOf(restart.backoff_max_s) ?? hostLimits.restartBackoffMaxMs, user.backoff_ms ?? restart.backoff_ms ?? 0);
  return {
    kind: user.policy ?? restart.policy,
    important: plugin.important,
    crashesMax: crashesMax(restart.max, user.crashes_max),
    windowMs: msOf(user.window_s) ?? msOf(restart.window_s) ?? hostLimits.restartWindowMs,
    backoffMinMs: Math.min(user.backoff_ms ?? restart.backoff_ms ?? hostLimits.restartBackoffMinMs, backoffMaxMs),
    backoffMaxMs,
    stableAfterMs: msOf(user.stable_s) ?? hostLimits.stableAfterMs,
    quarantineMs: msOf(user.quarantine_s) ?? hostLimits.quarantineMs,
    drainMs: hostLimits.drainMs,
  };
}

/** Only the user may switch quarantine off: a plugin that could would crash for ever at the user's cost. */
function crashesMax(author: number | undefined, user: number | undefined): number {
  if (user === 0) return Number.POSITIVE_INFINITY;
  return user ?? Math.max(1, author ?? hostLimits.restartsMax);
}

function idleStopMs({ limits }: Subject, user: SupervisionNumbers): number {
  const idleMs = msOf(user.idle_stop_s) ?? msOf(limits.idle_stop_s) ?? hostLimits.idleStopMs;
  return idleMs === 0 ? Number.POSITIVE_INFINITY : idleMs;
}

/** Whether a restart happens with nobody waiting for it. */
export function restartsUnasked(policy: Pick<RestartPolicy, 'kind' | 'important'>): boolean {
  return policy.kind === 'always' || (policy.important && policy.kind !== 'never');
}

function msOf(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}
