import { readdirSync, readFileSync } from 'node:fs';

/** One process of a plugin, as /proc shows it. */
export interface PluginProcess {
  readonly pid: number;
  readonly plugin: string;
}

/**
 * Every process on this machine that was started for one of these plugins, wherever it went since: what a plugin starts
 * inherits MMM_PLUGIN. The sandbox around it counts too, and a process that ended but was not waited for does not.
 */
export function pluginProcesses(plugins: ReadonlySet<string>): readonly PluginProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // A process that ended has no environment any more.
        const environment = readFileSync(`/proc/${name}/environ`, 'latin1').split('\0');
        const plugin = environment.find((entry) => entry.startsWith('MMM_PLUGIN='))?.slice('MMM_PLUGIN='.length);
        return plugin !== undefined && plugins.has(plugin) ? [{ pid: Number(name), plugin }] : [];
      } catch {
        // Gone in the meantime, or of another user and then not ours.
        return [];
      }
    });
}
