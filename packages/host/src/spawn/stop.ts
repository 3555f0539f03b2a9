import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { Child, ChildExit } from './child.ts';

/** How long each rung waits before the next one, in milliseconds. */
export interface StopLimits {
  readonly shutdownGraceMs: number;
  readonly stdinEndGraceMs: number;
  readonly terminateGraceMs: number;
  readonly killGraceMs: number;
}

export interface StopLadder {
  readonly child: Child;
  /** Asks the plugin to shut down; may reject or never settle. */
  requestShutdown(): Promise<void>;
  readonly clock: Clock;
  readonly limits: StopLimits;
}

/** The ladder with the host's own limits. */
export function stopChild(child: Child, requestShutdown: () => Promise<void>, clock: Clock): Promise<ChildExit> {
  return stopLadder({ child, requestShutdown, clock, limits: hostLimits });
}

/**
 * Asks, waits, insists: shutdown request → end of stdin → SIGTERM → SIGKILL of the group. An answer to the request
 * moves on at once; an exit ends the ladder wherever it is. Resolves with how the plugin ended, at the latest
 * `killGraceMs` after the kill: a process stuck in the kernel is then given up.
 */
export async function stopLadder({ child, requestShutdown, clock, limits }: StopLadder): Promise<ChildExit> {
  const answered = requestShutdown().then(
    () => undefined,
    () => undefined,
  );
  let exit = await within(limits.shutdownGraceMs, clock, child, answered);
  if (exit !== undefined) return exit;
  child.closeInput();
  exit = await within(limits.stdinEndGraceMs, clock, child);
  if (exit !== undefined) return exit;
  child.kill('SIGTERM');
  exit = await within(limits.terminateGraceMs, clock, child);
  if (exit !== undefined) return exit;
  child.kill('SIGKILL');
  exit = await within(limits.killGraceMs, clock, child);
  return exit ?? { code: null, signal: 'SIGKILL' };
}

/** The exit, or undefined when the time is over or `sooner` resolved first. */
async function within(
  ms: number,
  clock: Clock,
  child: Child,
  sooner?: Promise<undefined>,
): Promise<ChildExit | undefined> {
  const over = new AbortController();
  const elapsed = clock.sleep(ms, over.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([child.exited, elapsed, ...(sooner === undefined ? [] : [sooner])]);
  } finally {
    over.abort();
  }
}
