/** What a reload came to. */
export interface ReloadReport {
  readonly id: string;
  /** The version whose process was started, or whose process the next call starts. */
  readonly version: string;
  /** The version before: the same for a restart. */
  readonly before: string;
  /**
   * `switched`: it answered, and took the place of the one before, which finishes the calls it works on. `started`:
   * none ran before. `stopped`: none runs; the next call starts this version.
   */
  readonly outcome: 'switched' | 'started' | 'stopped';
  /** How many times the process of this plugin was replaced in this host. */
  readonly generation: number;
  readonly pid: number | null;
  /** Until calls went to the new process. */
  readonly durationMs: number;
}

export interface RollbackReport {
  readonly id: string;
  /** The version that is active again, and the one that was. */
  readonly version: string;
  readonly replaced: string;
  /** How what runs of it here was brought to it; null when this host has nothing of it. */
  readonly reload: ReloadReport | null;
}

export interface PluginReload {
  /** How many times another process took the place of the one before. */
  readonly generation: number;
  /** As `host.reload` of this plugin. */
  restart(): Promise<ReloadReport>;
}

export interface HostReload {
  /**
   * Starts a plugin anew, of the version that is installed by now: a candidate is launched beside the process in use,
   * has to answer and to live on for a moment, and only then gets the calls; the one before is stopped when the calls
   * that it works on have ended, at the latest after `hostLimits.reloadDrainMs`. Of a plugin that is `exclusive` the
   * one before is stopped first, and calls wait. One that does not run is started at once, out of a quarantine as well.
   * Asked for again meanwhile, it is done once more after that for all who asked. Throws RELOAD_FAILED when the process
   * before goes on in its place, else what a start throws; PLUGIN_NOT_FOUND.
   */
  reload(id: string): Promise<ReloadReport>;
  /**
   * Makes the version active again that was before the last update, which is kept in the store for that; what runs is
   * reloaded. Done twice, everything is as before. Audited. Throws ROLLBACK_UNAVAILABLE when there is none,
   * RELOAD_FAILED, and what verifying throws: a key may have been revoked since.
   */
  rollback(id: string): Promise<RollbackReport>;
}
