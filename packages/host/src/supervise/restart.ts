import type { ErrorCode, ExitReason, Manifest } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';

/** When a plugin is started again. All times in milliseconds. */
export interface RestartPolicy {
  readonly kind: 'always' | 'on_failure' | 'never';
  /** Restarted after a crash even when nobody waits for it. */
  readonly important: boolean;
  /** This many crashes within `windowMs` quarantine it. At least 1. */
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

/** The manifest's `[restart]` over the host's numbers. */
export function restartPolicyOf(manifest: Pick<Manifest, 'restart' | 'plugin'>): RestartPolicy {
  const { policy, max, window_s, backoff_ms, backoff_max_s } = manifest.restart;
  const backoffMinMs = backoff_ms ?? hostLimits.restartBackoffMinMs;
  return {
    kind: policy,
    important: manifest.plugin.important,
    crashesMax: Math.max(1, max ?? hostLimits.restartsMax),
    windowMs: window_s === undefined ? hostLimits.restartWindowMs : window_s * 1000,
    backoffMinMs,
    backoffMaxMs: Math.max(
      backoffMinMs,
      backoff_max_s === undefined ? hostLimits.restartBackoffMaxMs : backoff_max_s * 1000,
    ),
    stableAfterMs: hostLimits.stableAfterMs,
    quarantineMs: hostLimits.quarantineMs,
    drainMs: hostLimits.drainMs,
  };
}

/** Whether an end of this kind is followed by another start. An end that the host asked for never is. */
export function shouldRestart(kind: RestartPolicy['kind'], reason: ExitReason): boolean {
  if (reason.kind === 'requested' || kind === 'never') return false;
  return kind === 'always' || reason.kind !== 'clean';
}

/** Whether a restart happens with nobody waiting for it. */
export function restartsUnasked(policy: RestartPolicy): boolean {
  return policy.kind === 'always' || (policy.important && policy.kind !== 'never');
}

/** The crashes that still count, with one more at `nowMs`. Bounded by `crashesMax`. */
export function withCrash(crashes: readonly number[], nowMs: number, policy: RestartPolicy): readonly number[] {
  return [...crashes.filter((atMs) => atMs > nowMs - policy.windowMs), nowMs].slice(-policy.crashesMax);
}

/**
 * How long to wait before the restart after the `crashes`-th crash of the window. The first one is not waited for: a
 * plugin that crashes once answers its next call as fast as a fresh one. From the second on a random part of a wait
 * that doubles each time (full jitter), so that plugins which died of one cause do not come back in step.
 */
export function backoffMs(crashes: number, policy: RestartPolicy, random: number): number {
  if (crashes <= 1) return 0;
  const longestMs = policy.backoffMinMs * hostLimits.restartBackoffFactor ** (crashes - 2);
  return random * Math.min(longestMs, policy.backoffMaxMs);
}

/** Launch errors that another try may not meet. The others need somebody to do something first. */
const passingCauses: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'LAUNCH_FAILED',
  'HANDSHAKE_REFUSED',
  'START_TIMEOUT',
  'PLUGIN_EXITED',
  'INTERNAL',
]);

/** Whether a failed launch is worth another try by itself: a crash is, a refused consent is not. */
export function mayPass(code: ErrorCode): boolean {
  return passingCauses.has(code);
}
