import type { Plugin } from '@mmm/host';
import { systemClock } from '@mmm/rpc';
import type { Ledger } from './ledger.ts';
import { seeded } from './random.ts';

/** Callers of one plugin that never stop; some of them ask for what may be repeated, some for what may not. */
const capabilities = ['once', 'again', 'once'] as const;
/** A caller thinks this long between two calls, on average: constant calls, and not a benchmark of them. */
const thinkMs = 30;
/** Longer than any plugin may be silent and any restart may take: a call that runs into it is itself a finding. */
const deadlineMs = 15_000;

/** Shares of the calls that are not simply waited for. */
const failFastShare = 0.05;
const cancelledShare = 0.02;

/** Names for calls that are never used twice in a run. */
export function taggedBy(prefix: string): () => string {
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count}`;
  };
}

/** Calls every plugin all the time until the signal aborts; resolves when every one of these calls has settled. */
export async function callConstantly(
  plugins: readonly Plugin[],
  ledger: Ledger,
  seed: number,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    plugins.flatMap((plugin, index) =>
      capabilities.map((capability, caller) => {
        const tag = taggedBy(`${capability}-${index}-${caller}`);
        return callAgainAndAgain(plugin, capability, tag, ledger, seeded(seed + index * 97 + caller), signal);
      }),
    ),
  );
}

async function callAgainAndAgain(
  plugin: Plugin,
  capability: string,
  tag: () => string,
  ledger: Ledger,
  random: () => number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const way = random();
    const cancel = new AbortController();
    const call = callOnce(plugin, capability, tag(), ledger, {
      failFast: way < failFastShare,
      signal: cancel.signal,
    });
    // After the turn in which it was written, so that the plugin gets both the call and its cancellation.
    if (way > 1 - cancelledShare) systemClock.immediate(() => cancel.abort());
    await call;
    await systemClock.sleep(2 * thinkMs * random());
  }
}

/** One call, entered into the books. Resolves with whether it was answered, and never rejects. */
export async function callOnce(
  plugin: Plugin,
  capability: string,
  tag: string,
  ledger: Ledger,
  options: { readonly failFast?: boolean; readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  const entry = ledger.made(plugin.id, tag);
  try {
    const { output } = await plugin.execute(capability, { tag }, { timeoutMs: deadlineMs, ...options });
    entry.answered(output);
    return true;
  } catch (error) {
    entry.failed(error);
    return false;
  }
}
