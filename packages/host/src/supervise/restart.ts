import type { ExitReason } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';
import type { RestartPolicy } from './policy.ts';

/** Whether an end of this kind is followed by another start. An end that the host asked for never is. */
export function shouldRestart(kind: RestartPolicy['kind'], reason: ExitReason): boolean {
  if (reason.kind === 'requested' || kind === 'never') return false;
  return kind === 'always' || reason.kind !== 'clean';
}

/** The crashes that still count, with one more at `nowMs`. Bounded, however many are allowed. */
export function withCrash(crashes: readonly number[], nowMs: number, policy: RestartPolicy): readonly number[] {
  return [...stillCounting(crashes, nowMs, policy), nowMs].slice(-Math.min(policy.crashesMax, hostLimits.crashesKept));
}

/** The crashes that are not older than the window. */
export function stillCounting(crashes: readonly number[], nowMs: number, policy: RestartPolicy): readonly number[] {
  return crashes.filter((atMs) => atMs > nowMs - policy.windowMs);
}

/**
 * How long to wait before the restart after the `crashes`-th crash of the window. The first one is not waited for: a
 * plugin that crashes once answers its next call as fast as a fresh one. From the second on a random part of a wait
 * that doubles each time (full jitter), so that plugins which died of one cause do not come back in step.
 */
export function backoffMs(
  crashes: number,
  policy: Pick<RestartPolicy, 'backoffMinMs' | 'backoffMaxMs'>,
  random: number,
): number {
  if (crashes <= 1) return 0;
  const longestMs = policy.backoffMinMs * hostLimits.restartBackoffFactor ** (crashes - 2);
  return random * Math.min(longestMs, policy.backoffMaxMs);
}
