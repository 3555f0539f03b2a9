import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '@mmm/rpc';
import type { Host } from '../api.ts';
import { hostLimits } from '../limits.ts';

/** What a call is about: the project's own state, one plugin, whichever plugins take part, or nothing of a project. */
export type CallSubject =
  | { readonly kind: 'project' | 'any_plugin' | 'host' }
  | { readonly kind: 'plugin'; readonly plugin: string };

/** A host that is used for a moment. */
export interface LentHost {
  readonly host: Host;
  release(): void;
}

export interface ProjectHostsOptions {
  /** The daemon's own, which belongs to no project. */
  readonly primary: Host;
  readonly clock: Clock;
  open(project: string): Promise<Host>;
}

interface OpenProject {
  readonly host: Promise<Host>;
  users: number;
  idle: Timer | undefined;
}

/** Stands in a permission for the folder that a client works in. */
const projectPlaceholder = /\$\{project\}/;

/**
 * One daemon serves clients in many folders. Nearly everything is the same for all of them and is done by the one host
 * that the daemon runs. Only where the folder decides, a host of that folder does it, as the command itself would
 * without a daemon: when the folder has plugins of its own, and for plugins whose permissions name it.
 */
export class ProjectHosts {
  readonly #options: ProjectHostsOptions;
  readonly #open = new Map<string, OpenProject>();
  #found: ReturnType<Host['discover']> | undefined;
  #isClosed = false;

  constructor(options: ProjectHostsOptions) {
    this.#options = options;
  }

  /** Every host that is open, the daemon's own first. */
  async all(): Promise<readonly Host[]> {
    const others = await Promise.allSettled([...this.#open.values()].map(({ host }) => host));
    return [this.#options.primary, ...others.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))];
  }

  async lend(project: string | undefined, about: CallSubject): Promise<LentHost> {
    const { primary } = this.#options;
    const own = { host: primary, release: () => undefined };
    if (project === undefined || this.#isClosed) return own;
    if (!hasPlugins(project, primary.home) && !(await this.#needsProject(about))) return own;
    return await this.#lendOf(project);
  }

  /** Ends those of projects; the daemon's own is its owner's to close. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { idle } of open) idle?.cancel();
    await Promise.allSettled(open.map(async ({ host }) => (await host).close()));
  }

  /** What it is may have changed since. */
  forget(): void {
    this.#found = undefined;
  }

  async #needsProject(about: CallSubject): Promise<boolean> {
    if (about.kind === 'host') return false;
    if (about.kind === 'project') return true;
    this.#found ??= this.#options.primary.discover();
    const { plugins } = await this.#found;
    const meant = about.kind === 'plugin' ? plugins.filter(({ id }) => id === about.plugin) : plugins;
    return meant.some(({ manifest }) => projectPlaceholder.test(JSON.stringify(manifest.permissions)));
  }

  async #lendOf(project: string): Promise<LentHost> {
    let entry = this.#open.get(project);
    if (entry === undefined) {
      this.#closeOldest();
      entry = { host: this.#options.open(project), users: 0, idle: undefined };
      this.#open.set(project, entry);
    }
    const used = entry;
    used.users += 1;
    used.idle?.cancel();
    // The last one in the map is the latest used.
    this.#open.delete(project);
    this.#open.set(project, used);
    try {
      return { host: await used.host, release: () => this.#release(project, used) };
    } catch (error) {
      this.#open.delete(project);
      throw error;
    }
  }

  #release(project: string, entry: OpenProject): void {
    entry.users -= 1;
    if (entry.users > 0 || this.#isClosed) return;
    const { clock } = this.#options;
    entry.idle = clock.after(hostLimits.projectHostIdleMs, () => this.#end(project, entry)).unref();
  }

  #closeOldest(): void {
    if (this.#open.size < hostLimits.projectHosts) return;
    for (const [project, entry] of this.#open) {
      if (entry.users > 0) continue;
      this.#end(project, entry);
      return;
    }
  }

  #end(project: string, entry: OpenProject): void {
    if (this.#open.get(project) === entry) this.#open.delete(project);
    entry.idle?.cancel();
    entry.host.then((host) => host.close()).catch(() => undefined);
  }
}

/** The user's home folder is no project although the home of mmm may lie in it. */
function hasPlugins(project: string, home: string): boolean {
  const folder = join(project, '.mmm', 'plugins');
  return folder !== join(home, 'plugins') && lstatSync(folder, { throwIfNoEntry: false }) !== undefined;
}
