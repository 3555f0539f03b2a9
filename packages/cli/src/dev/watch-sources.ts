import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '@mmm/host';
import { changedFiles, listSources } from './source-listing.ts';

/** Editors write a file in several steps, and some several files at once. */
const debounceMs = 100;
/** How often it is looked where the system's notices do not work, as on some network folders. */
const pollMs = 1_000;

export interface SourceWatch {
  /** From now on this folder is what the build writes. */
  builds(folder: string | null): void;
  close(): void;
}

/**
 * Tells of saved sources: `onChange` gets the paths that are not as they were when it was last called, at least one.
 * Every folder is watched by itself, which, unlike a recursive watch, stays away from node_modules and .git.
 */
export function watchSources(
  directory: string,
  options: { readonly clock: Clock; onChange(paths: readonly string[]): void },
): SourceWatch {
  const { clock } = options;
  let built: string | null = null;
  let known = listSources(directory, built);
  const watchers = new Map<string, FSWatcher | null>();
  let timer: Timer | undefined;
  let closed = false;

  const later = (ms: number): void => {
    timer?.cancel();
    timer = closed ? undefined : clock.after(ms, look);
  };
  const drop = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  const follow = (folder: string): void => {
    try {
      const watcher = watch(join(directory, folder), () => later(debounceMs));
      watcher.on('error', () => drop(folder));
      watchers.set(folder, watcher);
    } catch {
      watchers.set(folder, null);
    }
  };
  /** True when a folder was new: what was written to it before it was watched has to be looked for once more. */
  const followAll = (folders: readonly string[]): boolean => {
    const fresh = folders.filter((folder) => !watchers.has(folder));
    for (const folder of watchers.keys()) if (!folders.includes(folder)) drop(folder);
    for (const folder of fresh) follow(folder);
    return fresh.length > 0;
  };
  const look = (): void => {
    timer = undefined;
    const now = listSources(directory, built);
    const changed = changedFiles(known, now);
    known = now;
    if (followAll(now.folders)) later(debounceMs);
    else if ([...watchers.values()].includes(null)) later(pollMs);
    if (changed.length > 0) options.onChange(changed);
  };

  if (followAll(known.folders)) later(debounceMs);
  return {
    builds(folder) {
      if (folder === built) return;
      built = folder;
      // Not listed anew: that would swallow what was saved a moment ago.
      const files = [...known.files].filter(([path]) => folder === null || !path.startsWith(`${folder}/`));
      known = { folders: known.folders, files: new Map(files) };
    },
    close() {
      closed = true;
      timer?.cancel();
      for (const folder of [...watchers.keys()]) drop(folder);
    },
  };
}
