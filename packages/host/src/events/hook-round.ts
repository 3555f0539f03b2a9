import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';

/** A call that an answer to an event asks for. */
export interface WantedAction {
  readonly plugin: string;
  readonly capability: string;
  readonly input: unknown;
}

export interface EventAnswer {
  readonly actions: readonly WantedAction[];
  readonly veto: string | undefined;
}

/** A plugin with hooks for an event. */
export interface HookPlugin {
  readonly id: string;
  /** Without its answer the event counts as vetoed. */
  readonly isImportant: boolean;
  /** Rejects when it did not answer within the time that is left for all, its start included. */
  ask(leftMs: number, signal: AbortSignal | undefined): Promise<EventAnswer>;
}

/** A hook that did not answer, and what that counted as. */
export interface FailedHook {
  readonly plugin: string;
  readonly counted: 'no_answer' | 'veto';
  readonly error: string;
}

export interface RoundResult {
  readonly wanted: readonly { readonly hook: string; readonly action: WantedAction }[];
  readonly veto?: { readonly plugin: string; readonly reason: string };
  readonly failed: readonly FailedHook[];
}

/**
 * Asks one hook after the other, in their order, until one vetoes. Takes at most `hostLimits.hooksTimeoutMs`; who has
 * not been asked by then has failed like one that did not answer.
 */
export async function askHooks(
  hooks: readonly HookPlugin[],
  clock: Pick<Clock, 'monotonic'>,
  signal: AbortSignal | undefined,
): Promise<RoundResult> {
  const endsAtMs = clock.monotonic() + hostLimits.hooksTimeoutMs;
  const wanted: RoundResult['wanted'][number][] = [];
  const failed: FailedHook[] = [];
  for (const hook of hooks) {
    signal?.throwIfAborted();
    const leftMs = endsAtMs - clock.monotonic();
    try {
      if (leftMs <= 0) throw new Error('the hooks before it took all the time there is');
      const { actions, veto } = await hook.ask(leftMs, signal);
      if (veto !== undefined) return { wanted: [], veto: { plugin: hook.id, reason: veto }, failed };
      for (const action of actions) wanted.push({ hook: hook.id, action });
    } catch (error) {
      signal?.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      failed.push({ plugin: hook.id, counted: hook.isImportant ? 'veto' : 'no_answer', error: reason });
      if (!hook.isImportant) continue;
      return { wanted: [], veto: { plugin: hook.id, reason: `its hook, which must agree, failed: ${reason}` }, failed };
    }
  }
  return { wanted, failed };
}
