/** Ends one process group, or does nothing when it is gone already. */
export type KillGroup = () => void;

const live = new Set<KillGroup>();
let isListening = false;

/**
 * Has a group killed when this process exits, whatever the way out; the returned function forgets it. A `kill -9` of
 * this process runs no handler: against that each child is tied to us by the kernel.
 */
export function reapOnExit(kill: KillGroup): () => void {
  if (!isListening) {
    isListening = true;
    process.on('exit', reapAll);
  }
  live.add(kill);
  return () => {
    live.delete(kill);
  };
}

/** Kills every group that is still registered. */
export function reapAll(): void {
  for (const kill of live) kill();
  live.clear();
}
