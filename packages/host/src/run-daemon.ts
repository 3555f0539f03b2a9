import { existsSync } from 'node:fs';
import { MmmError } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import type { Host, HostOptions } from './api.ts';
import { DaemonClient, type DaemonClientOptions } from './daemon/connect-daemon.ts';
import { Daemon, type DaemonOptions } from './daemon/daemon.ts';
import { hasDaemon, killDaemon } from './daemon/daemon-record.ts';
import type { HostClient } from './daemon/host-client.ts';
import { remoteHost } from './daemon/remote-host.ts';
import type { SearchEntry } from './discover/scan.ts';
import { homeAt, openHome } from './home.ts';
import { createHost } from './host.ts';
import { hostLimits } from './limits.ts';

export interface RunDaemonOptions extends DaemonOptions {
  /** Absolute path of the home folder; made if it is missing. */
  readonly home: string;
  /** Where plugins are looked for: for clients in a project, and for all others. */
  searchPath(project: string | undefined): readonly SearchEntry[];
}

/**
 * Serves a home until it is stopped, for every command of its user. Resolves when it takes connections. Throws
 * DAEMON_RUNNING when another one does, HOME_INVALID, STATE_UNREADABLE, KEY_INVALID or CONFIG_INVALID.
 */
export async function runDaemon({ home: directory, searchPath, ...options }: RunDaemonOptions): Promise<Daemon> {
  const home = openHome(directory);
  const openHost = (more: Partial<HostOptions>): Promise<Host> =>
    createHost({
      ...more,
      home: directory,
      searchPath: searchPath(more.project),
      // Once a home: the host of all who are in no project serves them.
      ...(more.project === undefined ? { metrics: {} } : {}),
    });
  return await Daemon.start({ home, clock: systemClock, openHost }, options);
}

/** A connection to the daemon of a home, with the host behind it. */
export interface DaemonConnection {
  readonly host: HostClient;
  readonly client: DaemonClient;
}

/**
 * The daemon of a home, or undefined when none runs. Throws HOME_INVALID when others may enter the folder of its
 * socket, and DAEMON_FAILED when it does not answer or is another version.
 */
export async function connectDaemon(home: string, options: DaemonClientOptions): Promise<DaemonConnection | undefined> {
  const client = await DaemonClient.dial(homeAt(home).run, options.prompter);
  if (client === undefined) return undefined;
  try {
    await client.greet(options);
  } catch (error) {
    client.close();
    throw error;
  }
  return { client, host: remoteHost(client, home) };
}

/** How the daemon of a home was brought to its end: there was none, it stopped in order, or it had to be killed. */
export type DaemonEnd = 'none' | 'stopped' | 'killed';

/**
 * Ends the daemon of a home and waits until it is gone, with everything that it ran. One that does not answer, or that
 * is not gone in time, is killed. Throws DAEMON_FAILED when that cannot be done either.
 */
export async function stopDaemon(home: string): Promise<DaemonEnd> {
  const { run } = homeAt(home);
  if (!existsSync(run)) return 'none';
  const client = await DaemonClient.dial(run);
  if (client === undefined && !hasDaemon(run)) return 'none';
  const asked = await client?.stop().then(
    () => true,
    () => false,
  );
  client?.close();
  if (asked !== false && (await isGone(run, hostLimits.daemonStopMs))) return 'stopped';
  if (killDaemon(run) && (await isGone(run, hostLimits.daemonStopMs))) return 'killed';
  const message = `The daemon of ${home} does not end, and which process it is cannot be told. End it by hand.`;
  throw new MmmError('DAEMON_FAILED', message, { reason: 'it does not end' });
}

async function isGone(run: string, withinMs: number): Promise<boolean> {
  const untilMs = systemClock.monotonic() + withinMs;
  while (hasDaemon(run)) {
    if (systemClock.monotonic() > untilMs) return false;
    await systemClock.sleep(hostLimits.daemonLookMs);
  }
  return true;
}

/** As `connectDaemon`, without a session: to ask for its status or to stop it, whatever version it is. */
export async function findDaemon(home: string): Promise<DaemonClient | undefined> {
  return await DaemonClient.dial(homeAt(home).run);
}
