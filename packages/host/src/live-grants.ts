import type { Permission, PermissionKind } from '@mmm/protocol';

/** One life of a plugin whose grants can change while it runs. */
export interface LiveRun {
  change(granted: readonly Permission[], revoked: readonly string[]): void;
}

/** What the host itself checks at each request; everything else the operating system grants, once, at the start. */
const checkedAtEachRequest: ReadonlySet<string> = new Set<PermissionKind>([
  'messages',
  'compose',
  'state',
  'model',
  'project',
]);

/** The plugins that run, to whom a grant or a revocation is told instead of starting them anew. */
export class LiveGrants {
  readonly #runs = new Map<string, Set<LiveRun>>();

  /** Until the returned function is called. */
  add(id: string, run: LiveRun): () => void {
    const runs = this.#runs.get(id) ?? new Set();
    this.#runs.set(id, runs.add(run));
    return () => {
      runs.delete(run);
      if (runs.size === 0 && this.#runs.get(id) === runs) this.#runs.delete(id);
    };
  }

  /** True when the change holds for all that runs of the plugin from the next request on; else nothing is changed. */
  change(id: string, granted: readonly Permission[], revoked: readonly string[]): boolean {
    const runs = this.#runs.get(id);
    const kinds = [...granted.map(({ kind }) => kind), ...revoked.map((key) => key.slice(0, key.indexOf('=')))];
    if (runs === undefined || !kinds.every((kind) => checkedAtEachRequest.has(kind))) return false;
    for (const run of runs) run.change(granted, revoked);
    return true;
  }
}
