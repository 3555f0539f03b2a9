import type { Clock } from '@mmm/rpc';
import { dependentsOf } from './dependency-starts.ts';
import { hostLimits } from './limits.ts';
import type { PluginHandle } from './plugin.ts';

/** Ends every plugin, and `others` beside them, within `hostLimits.closeMaxMs`: what is late is killed before that. */
export async function endAll(
  handles: readonly PluginHandle[],
  others: Promise<unknown> | undefined,
  clock: Clock,
): Promise<void> {
  const reason = 'the host is closing';
  const done = new AbortController();
  const ended = Promise.all([closeInOrder(handles, reason, clock), others]).then(() => true);
  const endedWithin = (ms: number): Promise<boolean> => {
    const late = clock.sleep(ms, done.signal).then(
      () => false,
      () => false,
    );
    return Promise.race([ended, late]);
  };
  try {
    if (await endedWithin(hostLimits.closeMaxMs - hostLimits.killGraceMs)) return;
    for (const handle of handles) handle.kill(reason);
    await endedWithin(hostLimits.killGraceMs);
  } finally {
    done.abort();
  }
}

/**
 * Ends every plugin, each after those that need it; the others at the same time. One that does not end holds up those
 * it needs for `hostLimits.stopOrderMs` in all, however long the chain is. Resolves when every one is gone.
 */
async function closeInOrder(handles: readonly PluginHandle[], reason: string, clock: Clock): Promise<void> {
  const over = new AbortController();
  const overdue = clock.sleep(hostLimits.stopOrderMs, over.signal).catch(() => undefined);
  const closings = new Map<PluginHandle, Promise<void>>();
  const close = (handle: PluginHandle): Promise<void> => {
    const known = closings.get(handle);
    if (known !== undefined) return known;
    const dependents = dependentsOf(handle.id, handles);
    // Plugins that require each other, which may be after an exchange, wait for each other until it is overdue.
    const closing =
      dependents.length === 0
        ? handle.close(reason)
        : Promise.race([Promise.resolve().then(() => Promise.all(dependents.map(close))), overdue]).then(() =>
            handle.close(reason),
          );
    closings.set(handle, closing);
    return closing;
  };
  await Promise.all(handles.map(close));
  over.abort();
}
